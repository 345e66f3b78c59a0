import { Inject, Injectable } from '@nestjs/common';
import { MountProbeAdapter, type ProbeCommand } from '../../kernel/mount-probe.adapter';
import { type MountProbe, probeOwner, type ProbeResult } from '../../kernel/mount-probe.interface';
import { MOUNT_TABLE, type MountTable } from '../../kernel/mount-table.interface';
import { FIRST_SHARE, NFS_REPLIES, type NfsReplies } from '../../kernel/nfs-replies.interface';
import { deadlineIn } from '../deadlines';
import { isNfs, serverOf } from './nfs-server';
import { ServerBreaker } from './server-breaker';
import { SlowServers } from './slow-servers';

/** What an NFS client answers in the stead of a server that does not; the mount heals by itself when it is back. */
const NOBODY_THERE =
  /timed out|Connection (refused|reset)|Host is down|No route to host|unreachable|Input\/output error/i;

/** A look that was given less time says nothing of a server that did not answer in it. */
const FAIR_MS = 2_000;

/**
 * statfs(2) is asked of the server each time, where a listing may come out of the client's cache for a minute; only a
 * listing shows that the mount can be read.
 */
const ASK_AND_LIST: ProbeCommand = (mountPath) => [
  'sh',
  '-c',
  'stat --file-system --format= -- "$1" && exec find "$1" -mindepth 1 -maxdepth 1 -print -quit',
  'sh',
  mountPath,
];

/**
 * Looks into mounts of any kind. One of an NFS server is looked into only while the server may be bothered, and errors
 * there are read as NFS means them.
 */
@Injectable()
export class NfsAwareProbe implements MountProbe {
  constructor(
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    private readonly breaker: ServerBreaker,
    private readonly probes: MountProbeAdapter,
    @Inject(NFS_REPLIES) private readonly replies: NfsReplies,
    private readonly slow: SlowServers,
  ) {}

  async probe(targetId: string, mountPath: string, deadlineMs: number): Promise<ProbeResult> {
    const top = (await this.table.layersAt(mountPath)).at(-1);
    if (top === undefined || !isNfs(top)) return await this.probes.probe(targetId, mountPath, deadlineMs);
    const deadline = deadlineIn(deadlineMs);
    const server = serverOf(top.source, top.superOptions).name;
    const attempt = await this.breaker.attempt(
      server,
      probeOwner(targetId),
      deadline,
      () => this.#look(server, targetId, mountPath, deadline.remainingMs()),
      ({ kind }) => hasAnswered(kind, deadlineMs),
    );
    return attempt.kind === 'done' ? attempt.result : { kind: 'silent' };
  }

  /** A look that is cut short while the server still replies was answered, too: slowly. */
  async #look(server: string, targetId: string, mountPath: string, withinMs: number): Promise<ProbeResult> {
    let waitedMs = withinMs;
    const asked = performance.now();
    const command: ProbeCommand = (path) => {
      waitedMs = performance.now() - asked;
      return ASK_AND_LIST(path);
    };
    const { result, isAnswering } = await this.replies.during(mountPath, withinMs, async () =>
      asNfsMeansIt(await this.probes.probe(targetId, mountPath, withinMs, command)),
    );
    if (result.kind === 'answers') this.slow.noteTimely(server);
    // What is counted may be the replies to another look, for which this one has waited.
    const isOwn = waitedMs < withinMs * FIRST_SHARE;
    if (result.kind !== 'silent' || result.notAsked || !isOwn || !(await isAnswering())) return result;
    this.slow.noteSlow(server, mountPath, `${Math.round(withinMs) / 1000} s`);
    return { kind: 'answers', slowly: true };
  }

  keepOut<T>(targetId: string, work: () => Promise<T>): Promise<T> {
    return this.probes.keepOut(targetId, work);
  }
}

/** Whether the server answered; null where the end of the look does not tell. */
function hasAnswered(kind: ProbeResult['kind'], deadlineMs: number): boolean | null {
  switch (kind) {
    case 'answers':
    case 'dead':
      return true;
    case 'silent':
      return deadlineMs >= FAIR_MS ? false : null;
    case 'withdrawn':
      return null;
  }
}

/** A server that is away is no broken mount: a stale handle is. */
export function asNfsMeansIt(result: ProbeResult): ProbeResult {
  return result.kind === 'dead' && NOBODY_THERE.test(result.reason) ? { kind: 'silent' } : result;
}
