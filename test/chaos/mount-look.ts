import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mountsBelow } from '../fleet/mount-table';
import { cleanEnvironment, guardian, OWNER_VARIABLE, runCommand, within } from '../rig';

/** What a job must find at its mount path. */
export interface Expected {
  readonly path: string;
  /** As the answer told it, null where it told none: unlike the id of a mount it is the same in all mount namespaces. */
  readonly device: string | null;
  readonly marker: string;
}

/** The object that was put into each bucket beforehand. */
export const MARKER_KEY = 'marker.txt';

/**
 * What a look found. `hard` problems are seen for certain; `soft` ones (an I/O error, no answer in time) can pass by
 * themselves on a busy machine.
 */
export type Look = { readonly kind: 'good' } | { readonly kind: 'hard' | 'soft'; readonly problem: string };

const DEADLINE_MS = 12_000;
/** After its deadline a child is killed; one that hangs in the mount does not end by that, and is not waited for. */
const REAPING_MS = 2_000;

/** Looks whether the mount is the job's own. The mount table is read here, the mount only by a child with a deadline. */
export async function lookInto({ path, device, marker }: Expected): Promise<Look> {
  const layers = steadyLayersAt(path);
  if (layers.length !== 1) return { kind: 'hard', problem: `${layers.length} layers are mounted at ${path}` };
  if (device !== null && layers[0] !== device) {
    return { kind: 'hard', problem: `device ${layers[0]} stands at ${path} where ${device} was granted` };
  }
  const read = await inMount('/bin/cat', [`${path}/${MARKER_KEY}`]);
  if ('problem' in read) return problemLook(read.problem);
  if (read.text !== marker) {
    return { kind: 'hard', problem: `the marker reads ${JSON.stringify(read.text)}, not ${marker}` };
  }
  return { kind: 'good' };
}

/** Writes a file through the mount, with fsync, and reads it back. Good: the write was acknowledged. */
export async function writeInto(path: string, name: string, text: string): Promise<Look> {
  const file = `${path}/${name}`;
  const written = await inMount('/bin/dd', [`of=${file}`, 'conv=fsync', 'status=none'], text);
  if ('problem' in written) return problemLook(written.problem);
  const read = await inMount('/bin/cat', [file]);
  if ('problem' in read) return problemLook(read.problem);
  return read.text === text ? { kind: 'good' } : { kind: 'hard', problem: `${file} reads back otherwise` };
}

/** A file that a process keeps open: what it wrote is with the FUSE process, and not in the bucket yet. */
export class OpenFile {
  private constructor(private readonly writer: ChildProcess) {}

  /** Null where the write was not acknowledged in time. */
  static async write(file: string, text: string): Promise<OpenFile | null> {
    guardian.arm();
    const script = 'exec 3>"$1" && printf %s "$2" >&3 && echo written && exec sleep 600';
    const writer = spawn('/bin/sh', ['-c', script, 'sh', file, text], {
      detached: true,
      env: { ...cleanEnvironment(), [OWNER_VARIABLE]: guardian.mark },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    writer.on('error', () => undefined);
    const { pid } = writer;
    if (pid !== undefined) guardian.watchGroup(pid);
    writer.once('exit', () => pid !== undefined && guardian.forgetGroup(pid));
    const said = once(writer.stdout, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) });
    const isWritten = await said.then(
      () => true,
      () => false,
    );
    if (isWritten) return new OpenFile(writer);
    writer.kill('SIGKILL');
    return null;
  }

  /** Kills the process. Only the end of its file tells the FUSE process to upload it, and nobody hears how that went. */
  async leave(): Promise<void> {
    const ended = once(this.writer, 'exit', { signal: AbortSignal.timeout(DEADLINE_MS) });
    this.writer.kill('SIGKILL');
    await ended.catch(() => undefined);
  }
}

/** Keeps a mount busy for a while by a process whose working directory it is; resolves when that has ended. */
export async function lingerIn(path: string, forMs: number): Promise<void> {
  await inMount('/bin/sh', ['-c', 'cd "$1" && exec sleep "$2"', 'sh', path, String(forMs / 1_000)]);
}

/** The devices of the mounts that stand at a path, the lowest first. */
export function layersAt(path: string): string[] {
  return mountsBelow(path)
    .filter((line) => line.split(' ')[4] === path)
    .map((line) => line.split(' ')[2]);
}

/** A table that changes while it is read can miss a line or show it twice: what is odd is looked at again. */
function steadyLayersAt(path: string): string[] {
  const layers = layersAt(path);
  return layers.length === 1 ? layers : layersAt(path);
}

async function inMount(
  command: string,
  args: readonly string[],
  input = '',
): Promise<{ text: string } | { problem: string }> {
  const running = runCommand(command, args, { timeoutMs: DEADLINE_MS, input }).then(
    ({ stdout }) => ({ text: stdout }),
    (error: unknown) => ({ problem: error instanceof Error ? error.message : String(error) }),
  );
  try {
    return await within(running, DEADLINE_MS + REAPING_MS, 'a look into a mount');
  } catch {
    return { problem: `no answer in ${DEADLINE_MS} ms` };
  }
}

function problemLook(problem: string): Look {
  const gone = /not connected|No such file or directory|Stale file handle/.test(problem);
  return { kind: gone ? 'hard' : 'soft', problem: problem.split('\n').join('; ') };
}
