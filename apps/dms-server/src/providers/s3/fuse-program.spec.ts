import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuseProgramName } from './fuse-program';

describe('the name of the FUSE program in the log', () => {
  it('is that of the program which is started', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fuse-program-'));
    try {
      const program = join(directory, 's3vaultfuse.py');
      expect(await fuseProgramName(program)).toBe('s3fs');
      await writeFile(program, '');
      await chmod(program, 0o755);
      expect(await fuseProgramName(program)).toBe('s3vaultfuse');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
