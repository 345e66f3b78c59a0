import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  bootId,
  livingGroup,
  mountPathOf,
  parseIdentity,
  parseStat,
  readProcess,
  readSame,
  servesMount,
} from './process-identity';

const BOOT = '8c0a3b1e-1111-4222-8333-444455556666';

describe('parseStat', () => {
  it('is not misled by a command that holds brackets and spaces', () => {
    const rest = 'S 1 77 78 0 -1 4194304 1 2 3 4 15 6 7 8 20 0 1 0 4711 1000 10';
    expect(parseStat(`55 (a) R 1 (b)) ${rest}`)).toEqual({
      pid: 55,
      command: 'a) R 1 (b)',
      state: 'S',
      group: 77,
      session: 78,
      cpuTicks: 21,
      startTime: 4711,
    });
  });

  it.each(['', '12', '12 (cut', '12 (cut) S 1'])('takes "%s" for none', (text) => {
    expect(parseStat(text)).toBeNull();
  });
});

describe('parseIdentity', () => {
  it('reads a whole record only', () => {
    expect(parseIdentity(`12 345 ${BOOT}\n`)).toEqual({ pid: 12, startTime: 345, bootId: BOOT });
    for (const torn of [
      '',
      '12',
      '12 345',
      `12 345 ${BOOT}`,
      `1 345 ${BOOT}\n`,
      `x 345 ${BOOT}\n`,
      'a'.repeat(9_999),
    ]) {
      expect(parseIdentity(torn)).toBeNull();
    }
  });
});

describe('a living process', () => {
  let child: ChildProcess;

  beforeEach(async () => {
    child = spawn('sh', ['-c', 'sleep 60 & echo; read -r line', 'sh', '/base/by argument'], {
      detached: true,
      env: { PATH: process.env.PATH, vault_data_directory: '/base/by environment' },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await once(child.stdout ?? child, 'data');
  });

  afterEach(async () => {
    const exit = once(child, 'exit');
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await exit;
  });

  it('is the same only with its own start time and boot', async () => {
    const stat = await readProcess(child.pid ?? 0);
    const identity = { pid: child.pid ?? 0, startTime: stat?.startTime ?? 0, bootId: await bootId() };
    expect(await readSame(identity)).toMatchObject({ pid: child.pid });
    expect(await readSame({ ...identity, startTime: identity.startTime - 1 })).toBeNull();
    expect(await readSame({ ...identity, bootId: BOOT })).toBeNull();
    expect(await livingGroup(identity)).toHaveLength(2);
    expect(await livingGroup({ ...identity, startTime: identity.startTime - 1 })).toEqual([]);
  });

  it('serves the mount that its environment or an argument names', async () => {
    const pid = child.pid ?? 0;
    expect(await mountPathOf(pid)).toBe('/base/by environment');
    expect(await servesMount(pid, '/base/by environment')).toBe(true);
    expect(await servesMount(pid, '/base/by argument')).toBe(true);
    expect(await servesMount(pid, '/base/by')).toBe(false);
    expect(await servesMount(pid, '')).toBe(false);
  });

  it('has ended once it is a zombie', async () => {
    const text = await readFile(`/proc/${child.pid}/stat`, 'utf8');
    expect(parseStat(text.replace(/\) [A-Z] /, ') Z '))?.state).toBe('Z');
  });
});
