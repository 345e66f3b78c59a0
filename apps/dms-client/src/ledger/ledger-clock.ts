/**
 * The database's time at the moment when this process asked for a target's row: by it, what came in at different
 * processes can be put in order.
 *
 * A request is dated too late by as much as the question took to reach the database, never later than the start of its
 * own transaction. So of two requests of which one was answered before the other came in, the first is never the later.
 */
export class LedgerClock {
  /**
   * @param now the database's time at the start of the statement, as text
   * @param askedAt just before it was sent, by performance.now()
   */
  constructor(
    readonly now: string,
    private readonly askedAt: number,
  ) {}

  /** How many microseconds before {@link now} it was `at`, by performance.now(); 0 for what came later. */
  microsecondsSince(at: number): number {
    return Math.max(0, Math.round((this.askedAt - at) * 1000));
  }
}
