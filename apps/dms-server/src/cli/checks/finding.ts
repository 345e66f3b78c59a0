/** What one check found. */
export interface Finding {
  readonly name: string;
  /** `warning`: the server runs, with less than it could. */
  readonly result: 'ok' | 'warning' | 'failed';
  readonly detail: string;
}
