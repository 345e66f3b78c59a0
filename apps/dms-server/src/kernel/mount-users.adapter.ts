import { readFile } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { type MountUser } from '@app/contracts';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { type MountUsers } from './mount-users.interface';
import { unescapeField } from './mountinfo';

const SEARCH_MS = 3_000;
/**
 * Of the many directories below /proc/<pid> only these hold links to what the process uses. Complaints (kernel threads
 * have no program) would only crowd out what was found.
 */
const SEARCH = String.raw`exec find /proc -mindepth 2 -maxdepth 3 \
  -type d ! -name fd ! -name map_files -prune -o \
  -type l '(' -lname "$1" -o -lname "$1/*" ')' -printf '%p %l\n' 2>/dev/null`;
const NAMESPACES_MS = 2_000;
/** Reads the mount table of one process of each other mount namespace, and stops at its first line of the device. */
const NAMESPACES = String.raw`
find /proc/[0-9]*/ns/mnt -maxdepth 0 -printf '%p %l\n' 2>/dev/null | awk -v own="$(readlink /proc/self/ns/mnt)" -v device="$1" '
  $2 != own && !($2 in seen) {
    split($1, part, "/")
    table = "/proc/" part[3] "/mountinfo"
    while ((getline line < table) > 0) {
      seen[$2]
      split(line, field, " ")
      if (field[3] == device) { print "/proc/" part[3] "/mountinfo " field[5]; break }
    }
    close(table)
  }'`;
const MAX_USERS = 20;
const FOUND_LINE = /^\/proc\/(\d+)\/\S+ (.*)$/;

/**
 * Users are found by find(1), which reads the links below /proc/<pid> and follows none of them. It runs as a child with
 * a deadline, for even such a link can hang on a process that is itself stuck in the kernel; so does the look into the
 * mount tables of other processes.
 */
@Injectable()
export class ProcMountUsers implements MountUsers {
  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async usersOf(targetId: string, mountPath: string): Promise<MountUser[]> {
    const pattern = mountPath.replace(/[\\*?[\]]/g, String.raw`\$&`);
    const outcome = await this.children.run({
      targetId,
      program: '/bin/sh',
      args: ['-c', SEARCH, 'sh', pattern],
      deadlineMs: SEARCH_MS,
    });
    return outcome.kind === 'not-started' ? [] : await this.#named(outcome.output);
  }

  async otherNamespaces(targetId: string, device: string): Promise<MountUser[]> {
    const outcome = await this.children.run({
      targetId: `namespaces/${targetId}`,
      program: '/bin/sh',
      args: ['-c', NAMESPACES, 'sh', device],
      deadlineMs: NAMESPACES_MS,
    });
    const users = outcome.kind === 'not-started' ? [] : await this.#named(outcome.output);
    return users.map((user) => ({ ...user, path: unescapeField(user.path ?? '') }));
  }

  /** The first find of each process. */
  async #named(output: string): Promise<MountUser[]> {
    const paths = new Map<number, string>();
    for (const line of output.split('\n')) {
      const [, pid, path] = FOUND_LINE.exec(line) ?? [];
      if (pid !== undefined && !paths.has(Number(pid)) && paths.size < MAX_USERS)
        paths.set(Number(pid), path);
    }
    return await Promise.all(
      [...paths].map(async ([pid, path]) => ({ pid, command: await commandOf(pid), path })),
    );
  }
}

/** The name of the program alone: the whole command line may hold secrets, and reading it can hang. */
async function commandOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
  } catch {
    return '(ended)';
  }
}
