import { type ChildCommand, type ChildOutcome, type ChildRunner } from '../processes/child-runner.interface';
import { StatfsHeartbeat } from './heartbeat.adapter';

/** Children that end only when they are told to. */
class HangingChildren implements ChildRunner {
  readonly commands: ChildCommand[] = [];

  run(command: ChildCommand): Promise<ChildOutcome> {
    this.commands.push(command);
    const killed: ChildOutcome = { kind: 'deadline', gone: true, output: '' };
    if (command.signal?.aborted) return Promise.resolve(killed);
    return new Promise((resolve) => command.signal?.addEventListener('abort', () => resolve(killed)));
  }

  childrenLeft(): Promise<number> {
    return Promise.resolve(0);
  }

  endLeftOver(): Promise<void> {
    return Promise.resolve();
  }
}

describe('StatfsHeartbeat', () => {
  it('ends a question that is taken back, and only that one', async () => {
    const children = new HangingChildren();
    const heartbeat = new StatfsHeartbeat(children);
    const answers = ['a', 'b'].map((targetId) => heartbeat.ask(targetId, `/base/${targetId}`, 1_000));
    await heartbeat.withdraw('a');
    await expect(answers[0]).resolves.toBe('withdrawn');
    expect(children.commands.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
    await heartbeat.withdraw('b');
    await expect(answers[1]).resolves.toBe('withdrawn');
  });

  it('has nothing to take back of a target that is not being asked', async () => {
    await expect(new StatfsHeartbeat(new HangingChildren()).withdraw('a')).resolves.toBeUndefined();
  });
});
