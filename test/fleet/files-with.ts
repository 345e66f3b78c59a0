import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The files below a directory that hold a text. */
export async function filesWith(text: string, directory: string): Promise<string[]> {
  const found = await promisify(execFile)('grep', ['-rlaF', '-e', text, directory]).catch(
    (error: { code?: number }) => {
      if (error.code === 1) return { stdout: '' };
      throw error;
    },
  );
  return found.stdout.split('\n').filter((line) => line !== '');
}
