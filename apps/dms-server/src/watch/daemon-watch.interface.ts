import { type ProcessIdentity } from '../processes/process-identity';

/** Tells whether FUSE daemons live, by a look at /proc/PID/stat and no more. */
export interface DaemonWatch {
  /** Which process serves the target; null where none is on record. */
  identityOf(targetId: string): Promise<ProcessIdentity | null>;
  lives(identity: ProcessIdentity): Promise<boolean>;
}

export const DAEMON_WATCH = Symbol('DaemonWatch');
