import { type ChildCommand, type ChildOutcome, type ChildRunner } from '../processes/child-runner.interface';
import { interpretProbe, MountProbeAdapter } from './mount-probe.adapter';

const exited = (code: number, output = ''): ChildOutcome => ({ kind: 'exited', code, signal: null, output });

describe('interpretProbe', () => {
  it.each([
    ['Transport endpoint is not connected'],
    ['Stale file handle'],
    ['Input/output error'],
    ['Host is down'],
    ['No such device'],
    ['Operation not permitted'],
  ])('takes "%s" for a dead mount', (reason) => {
    expect(interpretProbe(exited(1, `find: '/base/a: b': ${reason}\n`))).toEqual({ kind: 'dead', reason });
  });

  it('takes a refusal for an answer: the server has spoken', () => {
    expect(interpretProbe(exited(1, "find: '/base/a': Permission denied\n"))).toEqual({ kind: 'answers' });
    expect(interpretProbe(exited(0))).toEqual({ kind: 'answers' });
  });

  it('takes the answer that there is no such name for an answer', () => {
    const output = "stat: cannot statx '/base/a: b/.dms-probe-1': No such file or directory\n";
    expect(interpretProbe(exited(1, output))).toEqual({ kind: 'answers' });
  });

  it('takes no answer for silence, and a missing program for an error of the node', () => {
    expect(interpretProbe({ kind: 'deadline', gone: false, output: '' })).toEqual({ kind: 'silent' });
    expect(() => interpretProbe({ kind: 'not-started', reason: 'find: not installed' })).toThrow(
      'not installed',
    );
  });
});

describe('MountProbeAdapter', () => {
  class Children implements ChildRunner {
    readonly commands: ChildCommand[] = [];
    left = 0;
    readonly ends: ((outcome: ChildOutcome) => void)[] = [];

    run(command: ChildCommand): Promise<ChildOutcome> {
      this.commands.push(command);
      return new Promise((resolve) => {
        this.ends.push(resolve);
        const killed: ChildOutcome = { kind: 'deadline', gone: true, output: '' };
        command.signal?.addEventListener('abort', () => resolve(killed));
      });
    }

    childrenLeft(owner: string): Promise<number> {
      return Promise.resolve(owner === 'probe/t' ? this.left : 0);
    }

    endLeftOver(): Promise<void> {
      return Promise.resolve();
    }
  }

  it('starts no child where one of the target hangs already', async () => {
    const children = new Children();
    children.left = 1;
    expect(await new MountProbeAdapter(children).probe('t', '/base/t', 1_000)).toEqual({
      kind: 'silent',
      notAsked: true,
    });
    expect(children.commands).toEqual([]);
  });

  it('probes a target once at a time, and others meanwhile', async () => {
    const children = new Children();
    const adapter = new MountProbeAdapter(children);
    const probes = [
      adapter.probe('t', '/t', 1_000),
      adapter.probe('t', '/t', 1_000),
      adapter.probe('u', '/u', 1_000),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    expect(children.commands.map(({ targetId }) => targetId)).toEqual(['probe/t', 'probe/u']);
    for (const end of children.ends.splice(0)) end(exited(0));
    await new Promise((resolve) => setImmediate(resolve));
    for (const end of children.ends.splice(0)) end(exited(0));
    expect(await Promise.all(probes)).toEqual(Array(3).fill({ kind: 'answers' }));
    expect(children.commands).toHaveLength(3);
  });

  it('ends a probe before the mount is taken away, and begins none until then', async () => {
    const children = new Children();
    const adapter = new MountProbeAdapter(children);
    const running = adapter.probe('t', '/t', 1_000);
    const waiting = adapter.probe('t', '/t', 1_000);
    await new Promise((resolve) => setImmediate(resolve));
    await adapter.keepOut('t', async () => {
      await expect(running).resolves.toEqual({ kind: 'withdrawn' });
      await expect(waiting).resolves.toEqual({ kind: 'withdrawn' });
      await expect(adapter.probe('t', '/t', 1_000)).resolves.toEqual({ kind: 'withdrawn' });
      expect(children.commands).toHaveLength(1);
    });
    const after = adapter.probe('t', '/t', 1_000);
    await new Promise((resolve) => setImmediate(resolve));
    children.ends.at(-1)?.(exited(0));
    await expect(after).resolves.toEqual({ kind: 'answers' });
  });

  it('ends no probe of another target', async () => {
    const children = new Children();
    const adapter = new MountProbeAdapter(children);
    const other = adapter.probe('u', '/u', 1_000);
    await new Promise((resolve) => setImmediate(resolve));
    await adapter.keepOut('t', () => Promise.resolve());
    children.ends[0](exited(0));
    await expect(other).resolves.toEqual({ kind: 'answers' });
  });
});
