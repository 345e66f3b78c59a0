/** What the commands can be given. */
export interface Options {
  readonly format: 'table' | 'json';
  readonly watch?: boolean;
  readonly detailed?: boolean;
  readonly kill?: string;
  readonly force?: boolean;
  readonly cleanup?: boolean;
}

/** A command was called in a wrong way. */
export class UsageError extends Error {}
