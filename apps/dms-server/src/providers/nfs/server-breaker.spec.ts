import { Logger } from '@nestjs/common';
import { type ServerSettings } from '../../settings/server.settings';
import { FakeKernel } from '../../testing/fake-kernel';
import { deadlineIn } from '../deadlines';
import { type Attempt, ServerBreaker } from './server-breaker';

// What the services log is of no interest here.
Logger.overrideLogger(false);

const PAUSE_MS = 60;
const LIMIT = 3;

describe('the breaker of NFS servers', () => {
  let kernel: FakeKernel;
  let breaker: ServerBreaker;
  /** Ends the attempts under way, oldest first; true: the server answered. */
  let ends: ((answered: boolean | null) => void)[];

  beforeEach(() => {
    kernel = new FakeKernel();
    const settings = { nfsServerConcurrency: LIMIT, nfsServerPauseMs: PAUSE_MS } as ServerSettings;
    breaker = new ServerBreaker(settings, kernel);
    ends = [];
  });

  function attempt(server = 'a:2049', targetId = 't', deadlineMs = 5_000): Promise<Attempt<boolean | null>> {
    const work = (): Promise<boolean | null> => new Promise((resolve) => ends.push(resolve));
    return breaker.attempt(server, targetId, deadlineIn(deadlineMs), work, (answered) => answered);
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS + 10));

  async function endAll(answered: boolean | null): Promise<void> {
    for (const end of ends.splice(0)) end(answered);
    await turn();
  }

  it('lets a few at a time through, the others in their turn', async () => {
    const attempts = Array.from({ length: LIMIT + 2 }, () => attempt());
    await turn();
    expect(ends).toHaveLength(LIMIT);
    await endAll(true);
    expect(ends).toHaveLength(2);
    await endAll(true);
    expect((await Promise.all(attempts)).map(({ kind }) => kind)).toEqual(Array(LIMIT + 2).fill('done'));
  });

  it('forgets of too many servers that never answer the first, but none that holds a child', async () => {
    jest.spyOn(kernel, 'childrenLeft').mockImplementation((id) => Promise.resolve(id === 'hangs' ? 1 : 0));
    for (let index = 0; index <= 1_001; index += 1) {
      void attempt(`s${index}`, index === 0 ? 'hangs' : 't');
      await turn();
      await endAll(false);
    }
    expect(breaker.silentServers).toBe(1_000);
    expect(breaker.silentFor('s0')).not.toBeNull();
    expect([breaker.silentFor('s1'), breaker.silentFor('s2')]).toEqual([null, null]);
    expect(breaker.silentFor('s3')).not.toBeNull();
  });

  it('refuses those that wait, and all that come, once one got no answer', async () => {
    const attempts = Array.from({ length: LIMIT + 1 }, () => attempt());
    await turn();
    ends.shift()?.(false);
    expect(await attempts[LIMIT]).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching('a:2049') as string,
    });
    expect(await attempt()).toMatchObject({ kind: 'refused' });
    await endAll(false);
    expect(ends).toHaveLength(0);
    expect(breaker.silentFor('a:2049')).toBeGreaterThan(0);
  });

  it('leaves other servers alone', async () => {
    const dead = attempt('a:2049');
    await turn();
    await endAll(false);
    await dead;
    const other = attempt('a:2050');
    await turn();
    await endAll(true);
    expect(await other).toMatchObject({ kind: 'done' });
  });

  it('has a single attempt find out after the pause, and lets all through when that was answered', async () => {
    const first = attempt();
    await turn();
    await endAll(false);
    await first;
    await pause();
    const trial = attempt();
    const beside = await attempt();
    await turn();
    expect(beside.kind).toBe('refused');
    expect(ends).toHaveLength(1);
    await endAll(true);
    expect((await trial).kind).toBe('done');
    const attempts = Array.from({ length: LIMIT }, () => attempt());
    await turn();
    expect(ends).toHaveLength(LIMIT);
    await endAll(true);
    await Promise.all(attempts);
  });

  it('tries nothing while a child of an attempt hangs in the kernel', async () => {
    kernel.left.set('t', 1);
    const first = attempt();
    await turn();
    await endAll(false);
    await first;
    await pause();
    expect(await attempt('a:2049', 'u')).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching('cannot be ended') as string,
    });
    kernel.left.clear();
    const trial = attempt('a:2049', 'u');
    await turn();
    await endAll(true);
    expect((await trial).kind).toBe('done');
  });

  it('learns from what others saw, and nothing from a look that says neither', async () => {
    breaker.noteSilence('a:2049');
    expect((await attempt()).kind).toBe('refused');
    breaker.noteAnswer('a:2049');
    const look = attempt();
    await turn();
    await endAll(null);
    expect((await look).kind).toBe('done');
    expect(breaker.silentFor('a:2049')).toBeNull();
  });

  it('waits for a turn no longer than the deadline', async () => {
    const running = Array.from({ length: LIMIT }, () => attempt());
    await turn();
    expect(await attempt('a:2049', 't', 20)).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching('busy') as string,
    });
    await endAll(true);
    await Promise.all(running);
  });

  it('gives way to others when an attempt throws', async () => {
    const defect = (): Promise<never> => Promise.reject(new Error('a defect'));
    const failed = breaker.attempt('a:2049', 't', deadlineIn(1_000), defect, () => true);
    await expect(failed).rejects.toThrow('a defect');
    const next = attempt();
    await turn();
    await endAll(true);
    expect((await next).kind).toBe('done');
  });
});
