/** One line of what happened. */
export interface JournalEntry {
  /** Milliseconds since the journal was begun. */
  readonly at: number;
  /** `job 12`, `killer`, … */
  readonly who: string;
  readonly what: string;
}

/** What everybody did when, on one clock; the evidence where something went wrong. */
export class Journal {
  readonly entries: JournalEntry[] = [];
  readonly #began = Date.now();

  /** @param onEntry gets each entry when it is written */
  constructor(private readonly onEntry: (entry: JournalEntry) => void = () => undefined) {}

  /** Milliseconds since the journal was begun. */
  now(): number {
    return Date.now() - this.#began;
  }

  /** The time of day of a moment of the journal, to find it in the programs' logs. */
  timeOfDay(at: number): string {
    return new Date(this.#began + at).toISOString();
  }

  note(who: string, what: string): void {
    const entry = { at: this.now(), who, what };
    this.entries.push(entry);
    this.onEntry(entry);
  }

  of(who: string): JournalEntry[] {
    return this.entries.filter((entry) => entry.who === who);
  }

  /** What somebody did within a span of time. */
  during(who: string, from: number, to: number): JournalEntry[] {
    return this.of(who).filter(({ at }) => at >= from && at <= to);
  }
}

/** An entry as a line of text. */
export function lineOf({ at, who, what }: JournalEntry): string {
  return `${seconds(at).padStart(8)}  ${who.padEnd(9)} ${what}`;
}

export function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}
