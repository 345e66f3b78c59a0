import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { cleanEnvironment } from './environment';
import { processState, signalGroup } from './processes';
import { DIRECTORY_FUNCTIONS } from './directory-script';

/** The variable by which a process is known as started by (or below) this one. */
export const OWNER_VARIABLE = 'DMS_RIG_OWNER';

/**
 * Reads what is to be guarded from its standard input, a line each:
 *
 *     group <process id> <start time>
 *     directory <path>
 *     release
 *
 * and sleeps until its input ends. That happens when the owner ends, in whatever way: the kernel closes the pipe even
 * of a process that was killed. Only groups whose leader still has the recorded start time, and processes that carry
 * the owner's mark in their environment, are killed: a number that meanwhile belongs to a stranger fits neither.
 */
const GUARDIAN_SCRIPT = `
${DIRECTORY_FUNCTIONS}
mark=$1
records=
while IFS= read -r line; do
  if [ "$line" = release ]; then exit 0; fi
  records="$records$line
"
done

printf '%s' "$records" | while IFS=' ' read -r kind pid started; do
  [ "$kind" = group ] || continue
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
  set -- \${stat##*) }
  if [ "\${20}" = "$started" ]; then kill -KILL "-$pid" 2>/dev/null; fi
done

# What left its group (a daemon, a child of a child) is found by the mark. Again, until a look finds nothing: what was
# just being started may have been missed.
for round in 1 2 3 4 5 6 7 8 9 10; do
  found=$(grep -lzxF -e "$mark" /proc/[0-9]*/environ 2>/dev/null) || break
  for file in $found; do
    pid=\${file#/proc/}
    kill -KILL "\${pid%/environ}" 2>/dev/null
  done
  sleep 0.1
done

printf '%s' "$records" | while IFS=' ' read -r kind path; do
  [ "$kind" = directory ] || continue
  remove_directory "$path"
done
`;

/**
 * Sees to it that nothing of what this process starts outlives it.
 *
 * Two nets, for two kinds of end. When Node.js gets to run its exit handlers, the recorded process groups are killed
 * then and there. When it does not (SIGKILL, a crash of the VM, the out-of-memory killer), a shell in a session of its
 * own, to which no ctrl-C reaches, notices it by the end of a pipe, kills them and removes the directories.
 */
class Guardian {
  /** What each process started from here has in its environment. */
  readonly mark = randomUUID();
  private readonly groups = new Map<number, string>();
  private readonly directories = new Set<string>();
  private shell: ChildProcess | undefined;
  private hooked = false;

  /** Call right after the spawn, while the process is surely the one meant. */
  watchGroup(pid: number): void {
    const started = processState(pid)?.started;
    if (started === undefined) return;
    this.groups.set(pid, started);
    this.tell(`group ${pid} ${started}`);
  }

  forgetGroup(pid: number): void {
    this.groups.delete(pid);
    this.rest();
  }

  /** The directory must have been made by `makeDirectory` (directory.ts): the shell removes no other. */
  watchDirectory(path: string): void {
    if (path.includes('\n')) throw new Error(`A directory name with a line break cannot be guarded: ${path}`);
    this.directories.add(path);
    this.tell(`directory ${path}`);
  }

  forgetDirectory(path: string): void {
    this.directories.delete(path);
    this.rest();
  }

  /** Starts the shell before the first process is spawned, so that there is no moment without it. */
  arm(): void {
    if (this.shell?.exitCode === null && this.shell.signalCode === null) return;
    const shell = spawn('/bin/sh', ['-c', GUARDIAN_SCRIPT, 'sh', `${OWNER_VARIABLE}=${this.mark}`], {
      cwd: '/',
      detached: true,
      env: cleanEnvironment(),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // A shell that is gone leaves the exit handlers; that is no reason to stop working.
    shell.on('error', () => undefined);
    shell.stdin.on('error', () => undefined);
    shell.unref();
    if (shell.stdin instanceof Socket) shell.stdin.unref();
    this.shell = shell;
    for (const [pid, started] of this.groups) this.write(`group ${pid} ${started}`);
    for (const path of this.directories) this.write(`directory ${path}`);
    if (!this.hooked) {
      this.hooked = true;
      process.on('exit', () => this.killAll());
    }
  }

  private tell(line: string): void {
    this.arm();
    this.write(line);
  }

  private write(line: string): void {
    this.shell?.stdin?.write(`${line}\n`);
  }

  /** Nothing left to guard: the shell goes too, so that a stopped rig leaves no process at all. */
  private rest(): void {
    if (this.groups.size > 0 || this.directories.size > 0 || !this.shell) return;
    this.shell.stdin?.end('release\n');
    this.shell = undefined;
  }

  private killAll(): void {
    this.cutMounts();
    for (const [pid, started] of this.groups) {
      if (processState(pid)?.started === started) signalGroup(pid, 'SIGKILL');
    }
  }

  /**
   * A file that this process still holds in a FUSE mount is flushed when the process ends. With the bucket's server
   * killed before that, the end would wait until the FUSE client gives up.
   */
  private cutMounts(): void {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    for (const path of this.directories) {
      // Blanks stand there in octal; a directory whose name has some is left to the shell.
      if (!mounts.includes(` ${path}/`)) continue;
      spawnSync('/bin/sh', ['-c', `${DIRECTORY_FUNCTIONS}\nunmount_below "$1"`, 'sh', path], {
        env: cleanEnvironment(),
        stdio: 'ignore',
        timeout: 10_000,
      });
    }
  }
}

/** The one guardian of this process. */
export const guardian = new Guardian();
