import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PidFiles } from './pid-files';

describe('PidFiles', () => {
  let directory: string;
  let files: PidFiles;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pids-'));
    files = new PidFiles(directory);
  });

  afterEach(() => rm(directory, { recursive: true }));

  it('reads what a program or a person wrote', async () => {
    await writeFile(files.pathOf('target-123'), '12345\n');
    expect(files.pathOf('target-123')).toBe(join(directory, 'target-123.pid'));
    expect(await files.read('target-123')).toBe(12345);
    expect(await files.list()).toEqual(['target-123']);
    expect(await files.remove('target-123')).toBe(true);
    expect(await files.read('target-123')).toBeNull();
  });

  it.each(['', 'x', '12 34', '-5', '0', '1', '9'.repeat(40), '5\n'.padStart(5_000)])(
    'takes %j for no pid',
    async (text) => {
      await writeFile(files.pathOf('t'), text);
      expect(await files.read('t')).toBeNull();
    },
  );

  it('follows no symbolic link and survives a directory', async () => {
    await writeFile(join(directory, 'elsewhere'), '12345\n');
    await symlink(join(directory, 'elsewhere'), files.pathOf('link'));
    await mkdir(files.pathOf('directory'));
    expect(await files.read('link')).toBeNull();
    expect(await files.read('directory')).toBeNull();
    expect(await files.remove('directory')).toBe(false);
  });

  it('has a file name for the longest id', () => {
    expect(files.pathOf('é'.repeat(255))).toMatch(/\/[0-9a-f]{64}\.pid$/);
  });
});
