/** A FUSE process of a target. */
export interface FuseDaemon {
  readonly targetId: string;
  readonly pid: number;
  readonly alive: boolean;
  /** Null where it is known by a PID file only and does not say. */
  readonly mountPath: string | null;
  /** `record`: we started it and know that it is the same; `pid-file`: somebody wrote its number there. */
  readonly knownBy: 'record' | 'pid-file';
}

/** How a daemon ended. */
export interface DaemonExit {
  /** As the shell has it (128 + N after signal N); null where nobody saw it. */
  readonly status: number | null;
  /** True: it ended with status 0 and reported no error; null: not known. */
  readonly cleanFlush: boolean | null;
  /** What it reported, the last lines of it. */
  readonly errorLines: readonly string[];
}
