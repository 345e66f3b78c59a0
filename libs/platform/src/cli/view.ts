export type Cell = string | number | boolean | null | undefined;

/** A list with a heading for each column. */
export interface Table {
  readonly title?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Stands in place of a table without rows. */
  readonly empty: string;
}

/** Names and values of one thing. */
export interface Facts {
  readonly title?: string;
  readonly facts: readonly (readonly [string, Cell])[];
}

/** What a person is shown: parts one below the other. */
export type View = readonly (Table | Facts | string)[];
