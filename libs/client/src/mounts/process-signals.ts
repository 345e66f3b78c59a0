/** Signals that ask a program to end. */
export const ENDING_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The process was asked to end. */
export class SignalReceived extends Error {
  constructor(readonly processSignal: NodeJS.Signals) {
    super(`The process was sent ${processSignal}`);
    this.name = 'SignalReceived';
  }
}

/**
 * Keeps signals from ending this process until {@link ProcessSignals.restore}: the first aborts, the second says that
 * somebody is impatient.
 */
export class ProcessSignals {
  readonly #controller = new AbortController();
  readonly #names: readonly NodeJS.Signals[];
  #first: NodeJS.Signals | null = null;
  #impatient: () => void = () => undefined;
  /** Resolves at the second signal. */
  readonly impatience = new Promise<void>((resolve) => (this.#impatient = resolve));
  readonly #catch = (signal: NodeJS.Signals): void => {
    if (this.#first !== null) return this.#impatient();
    this.#first = signal;
    this.#controller.abort(new SignalReceived(signal));
  };

  constructor(names: readonly NodeJS.Signals[]) {
    this.#names = names;
    for (const name of names) process.on(name, this.#catch);
  }

  /** Aborted at the first signal, with a {@link SignalReceived}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Signals do again what they did, and the one that was kept does it now. */
  restore(): void {
    for (const name of this.#names) process.off(name, this.#catch);
    if (this.#first !== null) process.kill(process.pid, this.#first);
  }
}
