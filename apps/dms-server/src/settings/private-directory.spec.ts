import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireRunDirectory } from './private-directory';

const isRoot = process.getuid?.() === 0;
const STRANGER = 65_534;

describe('requireRunDirectory', () => {
  let directory: string;
  let runDir: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'run-'));
    runDir = join(directory, 'above', 'run');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('makes it for root alone, also behind a link of root’s', async () => {
    await symlink('above', join(directory, 'link'));
    await requireRunDirectory(runDir);
    expect((await stat(runDir)).mode & 0o777).toBe(0o700);
    await requireRunDirectory(join(directory, 'link', 'run'));
  });

  it.each([0o777, 0o775, 0o1777])('refuses one of mode %o, and says how it is mended', async (mode) => {
    await mkdir(runDir, { recursive: true });
    await chmod(runDir, mode);
    await expect(requireRunDirectory(runDir)).rejects.toThrow(
      `DMS_RUN_DIR: ${runDir} can be changed by others than root: "chown root:root"`,
    );
  });

  (isRoot ? it : it.skip)('refuses one of a stranger, and one in a stranger’s directory', async () => {
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    for (const theirs of [runDir, join(directory, 'above')]) {
      await chown(theirs, STRANGER, STRANGER);
      await expect(requireRunDirectory(runDir)).rejects.toThrow(theirs);
      await chown(theirs, 0, 0);
    }
    await requireRunDirectory(runDir);
  });
});
