import { constants } from 'node:os';

/** Signals that ask a program to end. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ENDING)[number];

/**
 * Catches the signals that would end this process, so that none is lost and the unmount is never left out: each goes
 * to the listener, and the first one that nobody listened to is remembered.
 */
export class SignalCatcher {
  #listener: ((signal: EndingSignal) => void) | null = null;
  #missed: EndingSignal | null = null;
  readonly #controller = new AbortController();
  readonly #catch = (signal: NodeJS.Signals): void => {
    this.#missed ??= this.#listener === null ? (signal as EndingSignal) : null;
    this.#controller.abort();
    this.#listener?.(signal as EndingSignal);
  };

  constructor() {
    for (const signal of ENDING) process.on(signal, this.#catch);
  }

  /** The first signal that came while nobody listened. */
  get missed(): EndingSignal | null {
    return this.#missed;
  }

  /** Aborted at the first signal. */
  get aborted(): AbortSignal {
    return this.#controller.signal;
  }

  listen(listener: ((signal: EndingSignal) => void) | null): void {
    this.#listener = listener;
  }

  /** Signals do again what they do by themselves. */
  stop(): void {
    for (const signal of ENDING) process.off(signal, this.#catch);
  }
}

/** The exit status by which a shell tells that a signal ended a program. */
export function statusOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
