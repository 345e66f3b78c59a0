import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
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
});
