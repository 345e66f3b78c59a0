import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerLock, ServerLockedError } from './server-lock';

describe('ServerLock', () => {
  let runDir: string;
  const path = (): string => join(runDir, 'server.lock');

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'dms-lock-'));
  });

  afterEach(() => {
    rmSync(runDir, { recursive: true, force: true });
  });

  it('is given once, and again when it was given back', () => {
    const lock = ServerLock.acquire(runDir, 'boot');
    expect(() => ServerLock.acquire(runDir, 'boot')).toThrow(ServerLockedError);
    expect(() => ServerLock.acquire(runDir, 'boot')).toThrow(new RegExp(`process ${process.pid}`));
    lock.release();
    expect(existsSync(path())).toBe(false);
    ServerLock.acquire(runDir, 'boot').release();
  });

  it.each([
    ['whose process is gone', JSON.stringify({ pid: 4_194_303, startTime: 1, bootId: 'boot' })],
    ['whose pid is another process now', JSON.stringify({ pid: process.pid, startTime: 1, bootId: 'boot' })],
    ['that cannot be read', 'x'],
  ])('is taken from a holder %s', (_what, text) => {
    writeFileSync(path(), text);
    ServerLock.acquire(runDir, 'boot').release();
    expect(existsSync(path())).toBe(false);
  });

  it('is void after a reboot', () => {
    ServerLock.acquire(runDir, 'boot');
    ServerLock.acquire(runDir, 'another boot').release();
  });
});
