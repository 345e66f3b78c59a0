import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '../processes/delay';
import { FindmntChanges, POLLER } from './mount-table-changes.adapter';

const isRoot = process.getuid?.() === 0;

/** The findmnt processes whose parent is `pid`. */
function pollersOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return stat.includes('(findmnt)') && state !== 'Z' && Number(parent) === pid;
      } catch {
        return false; // it has ended meanwhile
      }
    });
}

(isRoot ? describe : describe.skip)('FindmntChanges (as root)', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'changes-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('tells of a mount and of an unmount, and leaves no process', async () => {
    const changes = new FindmntChanges();
    let told = 0;
    changes.begin(() => (told += 1));
    try {
      expect(
        await waitUntil(10_000, () => Promise.resolve(pollersOf(process.pid).length === 1 || null)),
      ).toBe(true);
      // It may need a moment after its start until it listens: a mount is made until it has told of one.
      const heard = await waitUntil(10_000, () => {
        execFileSync('mount', ['-t', 'tmpfs', 'none', directory]);
        execFileSync('umount', [directory]);
        return Promise.resolve(told > 0 || null);
      });
      expect(heard).toBe(true);
    } finally {
      changes.end();
    }
    expect(await waitUntil(10_000, () => Promise.resolve(pollersOf(process.pid).length === 0 || null))).toBe(
      true,
    );
  });

  it('ends with the program that began it, also where that is killed', async () => {
    const [command, ...words] = POLLER;
    const options = `{ stdio: ['ignore', 'pipe', 'ignore'] }`;
    const script = `require('node:child_process').spawn('${command}', ${JSON.stringify(words)}, ${options});`;
    const program = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    const pid = program.pid ?? 0;
    const poller = await waitUntil(10_000, () => Promise.resolve(pollersOf(pid).at(0) ?? null));
    program.kill('SIGKILL');
    await once(program, 'exit');
    const isGone = (): Promise<true | null> => {
      try {
        const stat = readFileSync(`/proc/${poller}/stat`, 'utf8');
        return Promise.resolve(/\) [ZX] /.test(stat) || null);
      } catch {
        return Promise.resolve(true);
      }
    };
    expect(await waitUntil(10_000, isGone)).toBe(true);
  });
});
