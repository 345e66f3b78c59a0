import { TargetQueues } from './target-queue';

/** A promise that a test ends. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('TargetQueues', () => {
  it('runs the commands of a target one at a time, in order of arrival', async () => {
    const queues = new TargetQueues(10);
    const first = gate();
    const log: string[] = [];
    const runs = [
      queues.run('a', async () => {
        await first.opened;
        log.push('one');
      }),
      ...['two', 'three'].map((name) => queues.run('a', () => Promise.resolve(log.push(name)))),
    ];
    await Promise.resolve();
    expect(log).toEqual([]);
    first.open();
    await Promise.all(runs);
    expect(log).toEqual(['one', 'two', 'three']);
  });

  it('does not let targets wait for one another', async () => {
    const queues = new TargetQueues(1);
    const hung = gate();
    const stuck = queues.run('a', () => hung.opened);
    await expect(queues.run('b', () => Promise.resolve('done'))).resolves.toBe('done');
    hung.open();
    await stuck;
  });

  it('answers BUSY at once where too many wait, and goes on when they have ended', async () => {
    const queues = new TargetQueues(2);
    const hung = gate();
    const runs = [1, 2, 3].map(() => queues.run('a', () => hung.opened));
    await expect(queues.run('a', () => Promise.resolve())).rejects.toMatchObject({ code: 'BUSY' });
    hung.open();
    await Promise.all(runs);
    await expect(queues.run('a', () => Promise.resolve('done'))).resolves.toBe('done');
  });

  it('goes on after a command that failed, and forgets empty queues', async () => {
    const queues = new TargetQueues(2);
    const failed = queues.run('a', () => Promise.reject(new Error('no')));
    const next = queues.run('a', () => Promise.resolve('done'));
    await expect(failed).rejects.toThrow('no');
    await expect(next).resolves.toBe('done');
    expect(queues.isBusy('a')).toBe(false);
  });
});
