import { type Guest, type GuestResult } from '../rig';

/** A node whose kernel has an NFS client: this machine itself, or a guest on it. */
export interface NfsNode {
  readonly host: string;
  readonly base: string;
  readonly runDirectory: string;
  readonly pidDirectory: string;
  /** For use on the node. */
  readonly healthUrl: string;
  /** Where the node finds what listens on this machine's 127.0.0.1. */
  readonly serverAddress: string;
  /** Null where the node is this machine itself, which no test may freeze or cut off. */
  readonly guest: Guest | null;
  start(): Promise<void>;
  /** Ends the node; where it is this machine, its dms-server alone. */
  stop(): Promise<void>;
  log(): Promise<string>;
  /** Sends the dms-server a signal. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Runs a shell script as root on the node. A time-out is an error, and the script goes on. */
  sh(script: string, timeoutMs?: number): Promise<GuestResult>;
}
