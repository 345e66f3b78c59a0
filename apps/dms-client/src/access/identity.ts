/** Who calls, as far as it was found out. */
export interface Identity {
  /** Tells callers apart, for limits and the log; never a secret. */
  readonly name: string;
  readonly userId: string | null;
  /** The project that the caller acts for; null: none. */
  readonly projectId: string | null;
  readonly roles: readonly string[];
  /** False where nobody is asked who he is: then what a request says of its project is believed. */
  readonly proven: boolean;
  /** When the credentials end, in milliseconds since the epoch; null: they do not end by themselves. */
  readonly expiresAt: number | null;
}

/** Whose bindings, operations and events may be seen and changed. */
export interface ProjectScope {
  /** Null: those of all projects. */
  readonly projectId: string | null;
  readonly proven: boolean;
}

/** For those who may see and change everything, such as a command that goes to the database itself. */
export const ALL_PROJECTS: ProjectScope = { projectId: null, proven: true };

/** Who calls where nobody is asked: whoever can open a connection to this machine's loopback. */
export const ANYONE: Identity = {
  name: 'anyone',
  userId: null,
  projectId: null,
  roles: ['admin'],
  proven: false,
  expiresAt: null,
};

/** True once the credentials have ended by themselves. */
export function isOver({ expiresAt }: Identity): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}
