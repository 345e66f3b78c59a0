import { RecentMap } from '@app/platform';
import {
  bootId,
  type ProcessIdentity,
  type ProcessStat,
  readProcess,
  readSame,
  servesMount,
} from './process-identity';

/** Processes that are remembered: one that was forgotten is compared once more. */
const MAX_COMPARED = 10_000;

/** Says whether the process of an identity is the daemon of a mountpoint: by pid, start time, boot and command. */
export class DaemonIdentities {
  /** Processes whose command was compared already: it does not change any more. */
  readonly #compared = new RecentMap<string, true>(MAX_COMPARED);

  /** The process if it lives and is that daemon, else null. */
  async living(identity: ProcessIdentity, mountPath: string): Promise<ProcessStat | null> {
    const stat = await readSame(identity);
    const key = `${identity.pid} ${identity.startTime} ${mountPath}`;
    if (stat === null) {
      this.#compared.delete(key);
      return null;
    }
    if (this.#compared.has(key)) return stat;
    if (!(await servesMount(identity.pid, mountPath))) return null;
    this.#compared.set(key, true);
    return stat;
  }
}

/** The identity of the process `pid` as it is now, if it serves `mountPath`. */
export async function identityOfServer(pid: number, mountPath: string): Promise<ProcessIdentity | null> {
  const stat = await readProcess(pid);
  if (stat === null || !(await servesMount(pid, mountPath))) return null;
  return { pid, startTime: stat.startTime, bootId: await bootId() };
}
