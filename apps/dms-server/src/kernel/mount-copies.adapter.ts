import { Inject, Injectable } from '@nestjs/common';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import {
  type CopiedLayer,
  type CopiedMount,
  type MountCopies,
  type MountCopy,
} from './mount-copies.interface';
import { readProcess } from '../processes/process-identity';
import { RunningGroups } from '../processes/running-groups';
import { MOUNT_TABLE, type MountEntry, type MountTable } from './mount-table.interface';
import { parseMountinfoLine } from './mountinfo';
import { processName } from './process-name';

const SEARCH_MS = 2_000;
/**
 * Reads the mount table of one process of each other mount namespace, and prints its lines of the device. A process
 * whose namespace may not be read is told apart by the first mount of its table: two namespaces share no mount.
 */
const SEARCH = String.raw`
find /proc/[0-9]*/ns/mnt -maxdepth 0 -printf '%p %l\n' 2>/dev/null | awk -v own="$(readlink /proc/self/ns/mnt)" -v device="$1" '
  function first(line, field) { split(line, field, " "); return "first " field[1] }
  BEGIN { if ((getline line < "/proc/self/mountinfo") > 0) seen[first(line)] }
  $2 == own || ($2 != "" && $2 in seen) { next }
  {
    split($1, part, "/")
    table = "/proc/" part[3] "/mountinfo"
    space = $2
    while ((getline line < table) > 0) {
      if (space == "") {
        space = first(line)
        if (space in seen) break
      }
      seen[space]
      split(line, field, " ")
      if (field[3] == device) print part[3], ($2 == "" ? "unread" : "read"), line
    }
    close(table)
  }'`;
const FOUND_LINE = /^(\d+) (read|unread) (.*)$/;
const MAX_COPIES = 20;

interface Found {
  readonly pid: number;
  /** The kernel says that its namespace is another one than ours. */
  readonly isElsewhere: boolean;
  readonly entry: MountEntry;
}

/**
 * Copies are found in `/proc/PID/mountinfo`. The search runs as a child with a deadline, because reading it can hang on
 * a process that is itself stuck in the kernel.
 */
@Injectable()
export class ProcMountCopies implements MountCopies {
  constructor(
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    private readonly groups: RunningGroups,
  ) {}

  async find(targetId: string, layer: CopiedLayer): Promise<CopiedMount> {
    const found = await this.#search(targetId, layer.device);
    return { layer, copies: await copiesOf(found) };
  }

  async left(targetId: string, before: CopiedMount): Promise<CopiedMount> {
    const { layer, copies } = before;
    const found = await this.#search(targetId, layer.device);
    const isKnown = ({ entry }: Found): boolean =>
      copies.some(({ mntId, user }) => mntId === entry.mntId && user.path === entry.mountPath);
    // While a copy is left the number is still that of our file system: whatever bears it is a copy, too.
    if (found.some((each) => isKnown(each) && isOfSameKind(each.entry, layer)))
      return { layer, copies: await copiesOf(found) };
    return {
      layer,
      copies: await copiesOf(found.filter((each) => each.isElsewhere && isSame(each.entry, layer))),
    };
  }

  /**
   * All mounts that bear the device number now, but those of our own namespace, and of those in which children of ours do
   * something to another directory: they end by themselves.
   */
  async #search(targetId: string, device: string): Promise<Found[]> {
    const before = [...this.groups];
    const outcome = await this.children.run({
      targetId: `namespaces/${targetId}`,
      program: '/bin/sh',
      args: ['-c', SEARCH, 'sh', device],
      deadlineMs: SEARCH_MS,
    });
    if (outcome.kind !== 'exited' || outcome.code !== 0)
      throw new Error(`The mounts of other namespaces cannot be read: ${reasonOf(outcome)}`);
    const found = outcome.output.split('\n').flatMap(foundIn);
    if (found.length === 0) return [];
    // What could not be told by its namespace is told by its id: one of ours stands in our own table.
    const ours = new Set((await this.table.read()).map(({ mntId }) => mntId));
    const strangers = found.filter(({ entry }) => !ours.has(entry.mntId));
    const own = new Set([...before, ...this.groups]);
    const groups = await Promise.all(strangers.map(async ({ pid }) => (await readProcess(pid))?.group ?? 0));
    return strangers.filter((_, index) => !own.has(groups[index]));
  }
}

function foundIn(text: string): Found[] {
  const [, pid, namespace, line = ''] = FOUND_LINE.exec(text) ?? [];
  const entry = parseMountinfoLine(line);
  return entry === null ? [] : [{ pid: Number(pid), isElsewhere: namespace === 'read', entry }];
}

function isOfSameKind(entry: MountEntry, layer: CopiedLayer): boolean {
  return entry.fstype === layer.fstype && entry.source === layer.source;
}

function isSame(entry: MountEntry, layer: CopiedLayer): boolean {
  return isOfSameKind(entry, layer) && entry.root === layer.root && entry.mountPath === layer.mountPath;
}

async function copiesOf(found: readonly Found[]): Promise<MountCopy[]> {
  return await Promise.all(
    found.slice(0, MAX_COPIES).map(async ({ pid, entry }) => ({
      mntId: entry.mntId,
      user: { pid, command: await processName(pid), path: entry.mountPath },
    })),
  );
}

function reasonOf(outcome: Awaited<ReturnType<ChildRunner['run']>>): string {
  switch (outcome.kind) {
    case 'deadline':
      return `no answer within ${SEARCH_MS} ms`;
    case 'not-started':
      return outcome.reason;
    case 'exited':
      return outcome.output.trim() || `the search ended with ${outcome.signal ?? outcome.code}`;
  }
}
