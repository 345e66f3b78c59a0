import { FakeConnection } from '../testing/fake-connection';
import { CallerChecks } from './caller-checks';

let connection: FakeConnection;
let checks: CallerChecks;
beforeEach(() => {
  connection = new FakeConnection();
  connection.queues.set('stands', 'stands').set('locked', 405).set('refused', 403);
  checks = new CallerChecks();
});
const waits = (queue: string): Promise<boolean> => checks.waits(connection.model, queue);
const waitForCheck = async (): Promise<void> => {
  while (connection.checked.length === 0) await Promise.resolve();
};

describe('the look for callers', () => {
  it('finds a caller whose reply queue stands or is exclusive to a connection that lives, and no other', async () => {
    expect(await Promise.all(['stands', 'locked', 'gone'].map(waits))).toEqual([true, true, false]);
  });

  it('asks once for all commands of a queue that came before the question', async () => {
    const answers = Array.from({ length: 3_000 }, () => waits('gone'));
    expect(new Set(await Promise.all(answers))).toEqual(new Set([false]));
    expect(connection.opened).toBe(1);
  });

  it('asks anew for a command that came later: its caller may be back', async () => {
    const before = waits('back');
    await waitForCheck();
    const meanwhile = waits('back');
    expect(await before).toBe(false);
    connection.queues.set('back', 'stands');
    expect(await meanwhile).toBe(true);
    expect(connection.checked).toEqual(['back', 'back']);
  });

  it('has one channel at a time, however many queues are asked for', async () => {
    const queues = Array.from({ length: 500 }, (_, index) => `gone-${index}`);
    await Promise.all([...queues, 'stands', 'stands'].map(waits));
    expect(connection.checked).toEqual([...queues, 'stands']);
    expect(connection.mostOpen).toBe(1);
  });

  it('keeps its channel for as long as the broker does', async () => {
    expect([await waits('stands'), await waits('stands')]).toEqual([true, true]);
    expect(connection.opened).toBe(1);
  });

  it('throws if the broker does not say, and answers the next one', async () => {
    await expect(waits('refused')).rejects.toThrow('403');
    expect(await waits('stands')).toBe(true);
  });

  it('never asks for a reply queue of the broker itself', async () => {
    expect(await waits('amq.rabbitmq.reply-to.g1h2AA5yZXBseUA')).toBe(true);
    expect(connection.opened).toBe(0);
  });
});
