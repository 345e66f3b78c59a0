import { Logger } from '@nestjs/common';
import { type StateEventDto } from '@app/contracts';
import { ALL_PROJECTS, type ProjectScope } from '../access/identity';
import { type CommittedChanges } from '../ledger/changes';
import { type CommitListener, type TargetLedger } from '../ledger/target-ledger';
import { type EventAudienceService } from './event-audience.service';
import { type EventPublisher } from './event-publisher';
import { type EventSink, EventStreamsService } from './event-streams.service';
import { EventsService } from './events.service';

// What the services log is of no interest to tests.
Logger.overrideLogger(false);

/** A connection that takes all, or nothing. */
class FakeSink implements EventSink {
  readonly written: string[] = [];
  writableLength = 0;
  ended = false;
  destroyed = false;
  #closed: () => void = () => undefined;

  write(text: string): void {
    this.written.push(text);
  }

  end(): void {
    this.ended = true;
    this.#closed();
  }

  destroy(): void {
    this.destroyed = true;
    this.#closed();
  }

  once(_event: 'close', listener: () => void): void {
    this.#closed = listener;
  }

  get events(): StateEventDto[] {
    return this.written.flatMap((text) => {
      const data = /^data: (.*)$/m.exec(text)?.[1];
      return data === undefined ? [] : [JSON.parse(data) as StateEventDto];
    });
  }
}

describe('streams of events', () => {
  let commit: CommitListener;
  let published: StateEventDto[];
  let events: EventsService;
  let streams: EventStreamsService;
  let seenBy: (projectId: string, event: StateEventDto) => Promise<StateEventDto | null>;

  beforeEach(() => {
    jest.useFakeTimers();
    published = [];
    const ledger = { onCommit: (listener: CommitListener) => (commit = listener) };
    const publisher = { publish: (event: StateEventDto) => published.push(event) };
    events = new EventsService(ledger as unknown as TargetLedger, publisher as unknown as EventPublisher);
    events.onModuleInit();
    const audience = { seenBy: (projectId: string, event: StateEventDto) => seenBy(projectId, event) };
    streams = new EventStreamsService(events, audience as unknown as EventAudienceService);
    streams.onModuleInit();
  });
  afterEach(() => jest.useRealTimers());

  function committed(host: string, targetId: string, jobids: number[]): void {
    const changes: CommittedChanges['changes'] = [{ kind: 'lost', jobids, operation: null }];
    commit({ host, targetId }, { epoch: 4, mountPath: '/base/t', changes });
  }

  it('tell a project what concerns it, in order', async () => {
    const sink = new FakeSink();
    const waits: (() => void)[] = [];
    seenBy = (projectId, event) =>
      new Promise((resolve) => waits.push(() => resolve(event.host === projectId ? event : null)));
    streams.open({}, sink, { projectId: 'one', proven: true });
    committed('one', 'first', [1]);
    committed('two', 'other', [2]);
    committed('one', 'second', [3]);
    for (let turn = 0; turn < 3; turn += 1) {
      await jest.advanceTimersByTimeAsync(0);
      waits[turn]();
    }
    await jest.advanceTimersByTimeAsync(0);
    expect(sink.events.map(({ backup_target_id }) => backup_target_id)).toEqual(['first', 'second']);
  });

  it('cut a project off that cannot be told what concerns it', async () => {
    const sink = new FakeSink();
    seenBy = () => Promise.reject(new Error('the ledger is away'));
    streams.open({}, sink, { projectId: 'one', proven: true });
    committed('h', 't', [1]);
    await jest.advanceTimersByTimeAsync(0);
    expect(sink.destroyed).toBe(true);
  });

  it('tell here, and publish, what was committed', () => {
    const sink = new FakeSink();
    streams.open({}, sink);
    committed('h', 't', [1]);
    expect(sink.events).toEqual(published);
    expect(published).toMatchObject([
      { kind: 'lost', host: 'h', backup_target_id: 't', epoch: 4, mount_path: '/base/t', jobids: [1] },
    ]);
    expect(sink.written.at(-1)).toMatch(/^id: [0-9a-f-]{36}\nevent: lost\ndata: \{.*\}\n\n$/);
  });

  it.each(['a\ndata: {}', 'a\r\n\r\nid: b', 'a\0'])('are one frame each, whatever is in them: %j', (id) => {
    const sink = new FakeSink();
    streams.open({}, sink);
    committed('h', 't', [1]);
    events.hear({ ...published[0], id });
    expect(sink.written.at(-1)).toMatch(/^id: [^\r\n\0]*\nevent: lost\ndata: \{[^\r\n\0]*\}\n\n$/);
  });

  it('tell what others committed, and do not publish it again', () => {
    const sink = new FakeSink();
    streams.open({}, sink);
    committed('h', 't', [1]);
    events.hear({ ...published[0], id: 'of another' });
    expect(sink.events.map(({ id }) => id)).toEqual([published[0].id, 'of another']);
    expect(published).toHaveLength(1);
  });

  it.each([
    [{ host: 'h' }, 2],
    [{ backup_target_id: 'u' }, 1],
    [{ jobid: 2 }, 2],
    [{ host: 'i', jobid: 2 }, 1],
    [{ host: 'i', backup_target_id: 'u' }, 0],
  ])('tell only what fits %j', (filter, count) => {
    const sink = new FakeSink();
    streams.open(filter, sink);
    committed('h', 't', [1, 2]);
    committed('h', 'u', [3]);
    committed('i', 't', [2]);
    expect(sink.events).toHaveLength(count);
  });

  it('tell who comes again what was missed, as far as it is remembered, and fits', async () => {
    for (const target of ['a', 'b', 'c', 'd']) committed(target === 'c' ? 'i' : 'h', target, [1]);
    const toldAfter = async (id: string, filter = {}, scope?: ProjectScope): Promise<string[]> => {
      const sink = new FakeSink();
      streams.open(filter, sink, scope, id);
      await jest.advanceTimersByTimeAsync(0);
      return sink.events.map(({ backup_target_id }) => backup_target_id);
    };
    seenBy = (_, event) => Promise.resolve(event.backup_target_id === 'd' ? null : event);
    expect(await toldAfter(published[1].id)).toEqual(['c', 'd']);
    expect(await toldAfter(published[0].id, { host: 'h' })).toEqual(['b', 'd']);
    expect(await toldAfter(published[0].id, {}, { projectId: 'p', proven: true })).toEqual(['b', 'c']);
    expect(await toldAfter('of long ago')).toEqual([]);
    for (let count = 0; count < 500; count += 1) committed('h', 'later', [1]);
    expect(await toldAfter(published[1].id)).toEqual([]);
    expect(await toldAfter(published[500].id)).toHaveLength(published.length - 501);
  });

  it('do not begin with more than a subscriber may leave unread', () => {
    const jobids = Array.from({ length: 1_000 }, (_, job) => 10_000 + job);
    for (let count = 0; count < 30; count += 1) committed('h', 't', jobids);
    const [long, short] = [new FakeSink(), new FakeSink()];
    streams.open({}, long, undefined, published[0].id);
    streams.open({}, short, undefined, published[19].id);
    expect([long.events.length, short.events.length]).toEqual([0, 10]);
  });

  it('say from time to time that they live', () => {
    const sink = new FakeSink();
    streams.open({}, sink);
    jest.advanceTimersByTime(30_000);
    expect(sink.written.filter((text) => text === ': heartbeat\n\n')).toHaveLength(3);
  });

  it('cut off who does not read, and nobody else', () => {
    const [slow, quick] = [new FakeSink(), new FakeSink()];
    streams.open({}, slow);
    streams.open({}, quick);
    slow.writableLength = 1_000_000;
    committed('h', 't', [1]);
    committed('h', 't', [1]);
    expect([slow.destroyed, slow.events.length]).toEqual([true, 0]);
    expect([quick.destroyed, quick.events.length]).toEqual([false, 2]);
  });

  it('end with the server, and are bounded in number', () => {
    const sinks = Array.from({ length: 1_000 }, () => new FakeSink());
    for (const sink of sinks) streams.open({}, sink);
    expect(() => streams.requireRoom()).toThrow('subscribers');
    streams.onModuleDestroy();
    expect(sinks.every(({ ended }) => ended)).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
    streams.requireRoom();
  });

  it('leave room for other projects and for admins, however many one project opens', () => {
    const project = (index: number): ProjectScope => ({ projectId: `p${index}`, proven: true });
    const open = (scope: ProjectScope): void => {
      streams.requireRoom(scope);
      streams.open({}, new FakeSink(), scope);
    };
    for (let index = 0; index < 100; index += 1) open(project(0));
    expect(() => open(project(0))).toThrow('of this project');
    for (let index = 0; index < 850; index += 1) open(project(1 + (index % 9)));
    expect(() => open(project(10))).toThrow('950 subscribers');
    for (let index = 0; index < 50; index += 1) open(ALL_PROJECTS);
    expect(() => open(ALL_PROJECTS)).toThrow('1000 subscribers');
    streams.onModuleDestroy();
  });

  it('survive a listener that fails', () => {
    const sink = new FakeSink();
    events.subscribe(() => {
      throw new Error('defect');
    });
    streams.open({}, sink);
    committed('h', 't', [1]);
    expect(sink.events).toHaveLength(1);
  });
});
