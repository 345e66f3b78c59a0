import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { waitUntil } from '../processes/delay';
import { TestNode } from '../testing/test-node';
import { ProcMountUsers } from './mount-users.adapter';

/** On real processes: to be used, a directory need not be a mount. */
describe('ProcMountUsers', () => {
  const node = new TestNode();
  const users = new ProcMountUsers(new ChildRunnerAdapter(node.settings));
  const directory = mkdtempSync(join(tmpdir(), 'dms users [1]*'));
  const started: ChildProcess[] = [];

  const run = async (cwd: string): Promise<number> => {
    const child = spawn('sleep', ['30'], { cwd, stdio: 'ignore' });
    started.push(child);
    await new Promise((resolve) => child.once('spawn', resolve));
    return child.pid ?? 0;
  };

  afterAll(() => {
    for (const child of started) child.kill();
    rmSync(directory, { recursive: true });
    node.remove();
  });

  it('finds who works in a directory or below it, and not beside it', async () => {
    mkdirSync(join(directory, 'below'));
    mkdirSync(`${directory}-beside`);
    try {
      const [inside, below] = [await run(directory), await run(join(directory, 'below'))];
      const beside = await run(`${directory}-beside`);
      const found = await users.usersOf('t1', directory);
      expect(found).toEqual(
        expect.arrayContaining([
          { pid: inside, command: 'sleep', path: directory },
          { pid: below, command: 'sleep', path: join(directory, 'below') },
        ]),
      );
      expect(found.map(({ pid }) => pid)).not.toContain(beside);
    } finally {
      rmSync(`${directory}-beside`, { recursive: true });
    }
  });

  (process.getuid?.() === 0 ? it : it.skip)(
    'finds who keeps a mount in another namespace until it lets go (as root)',
    async () => {
      const path = join(directory, 'mount point');
      mkdirSync(path);
      execFileSync('mount', ['-t', 'tmpfs', 'dms-test', path]);
      const device = `0:${statSync(path).dev}`;
      const hold = spawn('unshare', ['--mount', 'sh', '-c', 'echo there; exec sleep 30'], {
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
      });
      // Others may make namespaces on this machine, too.
      const isHeld = async (): Promise<boolean> =>
        (await users.otherNamespaces('t1', device)).some(
          ({ pid, path: at }) => pid === hold.pid && at === path,
        );
      try {
        await once(hold.stdout, 'data');
        expect(await isHeld()).toBe(true);
      } finally {
        execFileSync('umount', [path]);
        expect(await isHeld()).toBe(true);
        process.kill(-(hold.pid ?? 0), 'SIGKILL');
        await once(hold, 'close');
      }
      expect(await waitUntil(5_000, async () => !(await isHeld()) || null)).toBe(true);
    },
  );

  it('finds no namespace in which a device is mounted that does not exist', async () => {
    await expect(users.otherNamespaces('t1', '9999:9999')).resolves.toEqual([]);
  });
});
