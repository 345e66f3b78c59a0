import { Logger } from '@nestjs/common';
import { type NodeEvent } from '@app/contracts';
import { keyText, type TargetKey } from '../ledger/target-key';
import { type CommitListener } from '../ledger/target-ledger';
import { type TargetCoordinator } from '../mounts/target-coordinator.service';
import { MountReports } from '../nodes/mount-reports';
import { type EventTargetsRepository } from './event-targets.repository';
import { NodeEventsService } from './node-events.service';

// What the services log is of no interest to tests.
Logger.overrideLogger(false);

function event(targetId: string, change: Partial<NodeEvent> = {}): NodeEvent {
  return {
    event: 'vanished',
    node: 'h',
    incarnation: 'i',
    epoch: 1,
    mnt_id: 7,
    backup_target_id: targetId,
    mount_path: `/base/${targetId}`,
    at: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

describe('events of nodes', () => {
  /** The epoch that the ledger has of each target; a settlement takes the next one. */
  let epochs: Map<string, number>;
  let settled: string[];
  let settles: boolean;
  /** When a node answers the command that settles. */
  let answers: (host: string) => Promise<void>;
  let atOnce: { now: number; most: number };
  let service: NodeEventsService;
  let comparisons: number;
  let databaseIsAway: boolean;
  /** A hello that repeats these events comes. */
  let hello: (events: readonly NodeEvent[]) => void;
  /** This process has written the row of a target. */
  let commit: CommitListener;

  beforeEach(() => {
    jest.useFakeTimers();
    epochs = new Map();
    settled = [];
    settles = true;
    answers = () => Promise.resolve();
    atOnce = { now: 0, most: 0 };
    comparisons = 0;
    databaseIsAway = false;
    const targets = {
      contradicting: (events: readonly NodeEvent[]) => {
        comparisons += 1;
        if (databaseIsAway) return Promise.reject(new Error('away'));
        return Promise.resolve(
          events.filter(
            ({ node, backup_target_id, epoch }) => (epochs.get(`${node}/${backup_target_id}`) ?? 1) === epoch,
          ),
        );
      },
    };
    const coordinator = {
      settle: async (key: TargetKey, suspicious: boolean) => {
        expect(suspicious).toBe(true);
        atOnce = { now: atOnce.now + 1, most: Math.max(atOnce.most, atOnce.now + 1) };
        await answers(key.host);
        atOnce.now -= 1;
        settled.push(keyText(key));
        if (settles) epochs.set(keyText(key), 2);
        return true;
      },
    };
    service = new NodeEventsService(
      targets as unknown as EventTargetsRepository,
      coordinator as unknown as TargetCoordinator,
      new MountReports(),
      { onTroubled: (listener) => (hello = listener) },
      { onCommit: (listener) => (commit = listener) },
    );
    service.onModuleInit();
  });
  afterEach(() => jest.useRealTimers());

  it('have the node asked, once', async () => {
    service.hear(event('t'));
    service.hear(event('t', { event: 'broken' }));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(settled).toEqual(['h/t']);
  });

  it('count only if they are about what the ledger knows', async () => {
    service.hear(event('t', { epoch: 9 }));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(settled).toEqual([]);
  });

  it('are followed a few times where the target is being worked on', async () => {
    settles = false;
    service.hear(event('t'));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(settled).toHaveLength(4);
  });

  it('of many targets are followed a few at a time', async () => {
    for (let index = 0; index < 100; index += 1) service.hear(event(`t${index}`));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(new Set(settled).size).toBe(100);
    expect(atOnce.most).toBeLessThanOrEqual(16);
  });

  it('of a node whose targets cannot be settled hold up those of no other node', async () => {
    answers = (host) => (host === 'h' ? new Promise(() => undefined) : Promise.resolve());
    for (let index = 0; index < 100; index += 1) service.hear(event(`t${index}`));
    for (let index = 0; index < 20; index += 1) service.hear(event(`t${index}`, { node: 'other' }));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(atOnce.now).toBe(4);
    expect(new Set(settled).size).toBe(20);
  });

  it.each(['broken', 'vanished'] as const)(
    'that say "%s" while the row is being written are followed when it was',
    async (kind) => {
      epochs.set('h/t', 4);
      service.hear(event('t', { event: kind, epoch: 5 }));
      await jest.advanceTimersByTimeAsync(5_000);
      expect(settled).toEqual([]);
      epochs.set('h/t', 5);
      commit({ host: 'h', targetId: 't' }, { epoch: 5, mountPath: null, changes: [] });
      await jest.advanceTimersByTimeAsync(100);
      expect(settled).toEqual(['h/t']);
    },
  );

  it('are not lost while the database is away: the next hello repeats them', async () => {
    databaseIsAway = true;
    service.hear(event('t', { event: 'broken' }));
    hello([event('t', { event: 'broken' })]);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(settled).toEqual([]);
    databaseIsAway = false;
    hello([event('t', { event: 'broken' }), event('known', { epoch: 9 })]);
    await jest.advanceTimersByTimeAsync(100);
    expect(settled).toEqual(['h/t']);
  });

  it('that a hello repeats and the ledger knows cost one comparison, however many they are', async () => {
    hello(Array.from({ length: 100 }, (_, index) => event(`t${index}`, { epoch: 9 })));
    await jest.advanceTimersByTimeAsync(5_000);
    expect({ comparisons, settled }).toEqual({ comparisons: 1, settled: [] });
  });
});
