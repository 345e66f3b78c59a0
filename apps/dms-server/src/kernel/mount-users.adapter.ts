import { Inject, Injectable } from '@nestjs/common';
import { type MountUser } from '@app/contracts';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { type MountUsers } from './mount-users.interface';
import { processName } from './process-name';

const SEARCH_MS = 3_000;
/**
 * Of the many directories below /proc/<pid> only these hold links to what the process uses. Complaints (kernel threads
 * have no program) would only crowd out what was found.
 */
const SEARCH = String.raw`exec find /proc -mindepth 2 -maxdepth 3 \
  -type d ! -name fd ! -name map_files -prune -o \
  -type l '(' -lname "$1" -o -lname "$1/*" ')' -printf '%p %l\n' 2>/dev/null`;
const MAX_USERS = 20;
const FOUND_LINE = /^\/proc\/(\d+)\/\S+ (.*)$/;

/**
 * Users are found by find(1), which reads the links below /proc/<pid> and follows none of them. It runs as a child with
 * a deadline, because even such a link can hang on a process that is itself stuck in the kernel.
 */
@Injectable()
export class ProcMountUsers implements MountUsers {
  constructor(@Inject(CHILD_RUNNER) private readonly children: ChildRunner) {}

  async usersOf(targetId: string, mountPath: string): Promise<MountUser[]> {
    const outcome = await this.children.run({
      // No target: a search says nothing of whether a command of the target has ended.
      targetId: `users/${targetId}`,
      program: '/bin/sh',
      args: usersSearch(mountPath),
      deadlineMs: SEARCH_MS,
    });
    return outcome.kind === 'not-started' ? [] : await this.#named(outcome.output);
  }

  async #named(output: string): Promise<MountUser[]> {
    const paths = [...usedPathsIn(output)].slice(0, MAX_USERS);
    return await Promise.all(
      paths.map(async ([pid, path]) => ({ pid, command: await processName(pid), path })),
    );
  }
}

/** Returns the arguments of sh(1) that look for the users of a path. */
export function usersSearch(path: string): string[] {
  const pattern = path.replace(/[\\*?[\]]/g, String.raw`\$&`);
  return ['-c', SEARCH, 'sh', pattern];
}

/** Reads what {@link usersSearch} found: the first path of each process, by its id. */
export function usedPathsIn(output: string): Map<number, string> {
  const paths = new Map<number, string>();
  for (const line of output.split('\n')) {
    const [, pid, path] = FOUND_LINE.exec(line) ?? [];
    if (pid !== undefined && !paths.has(Number(pid))) paths.set(Number(pid), path);
  }
  return paths;
}
