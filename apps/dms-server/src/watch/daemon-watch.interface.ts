import { type ProcessIdentity } from '../processes/process-identity';

/** Tells whether FUSE daemons live, by a look at /proc/PID/stat and no more. */
export interface DaemonWatch {
  /** Which process serves the target; null where none is on record. */
  identityOf(targetId: string): Promise<ProcessIdentity | null>;
  lives(identity: ProcessIdentity): Promise<boolean>;
  /** Clock ticks of processor time that it has used; null where it has ended. */
  cpuTicksOf(identity: ProcessIdentity): Promise<number | null>;
}

export const DAEMON_WATCH = Symbol('DaemonWatch');
