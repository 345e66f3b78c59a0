import { constants } from 'node:os';

/** Signals that ask a program to end. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ENDING)[number];
/** Signals that mean what a program makes of them. */
const OTHERS = ['SIGUSR1', 'SIGUSR2'] as const;
export type PassedSignal = EndingSignal | (typeof OTHERS)[number];

/**
 * Catches the signals that would end this process, so that none is lost and the unmount is never left out: each goes
 * to the listener, and the first one that asks to end and that nobody listened to is remembered.
 */
export class SignalCatcher {
  #listener: ((signal: PassedSignal) => void) | null = null;
  #missed: EndingSignal | null = null;
  readonly #controller = new AbortController();
  readonly #catch = (signal: NodeJS.Signals): void => {
    const ending = ENDING.find((name) => name === signal) ?? null;
    if (ending !== null) {
      this.#missed ??= this.#listener === null ? ending : null;
      this.#controller.abort();
    }
    this.#listener?.(signal as PassedSignal);
  };

  constructor() {
    for (const signal of [...ENDING, ...OTHERS]) process.on(signal, this.#catch);
  }

  /** The first signal that came while nobody listened. */
  get missed(): EndingSignal | null {
    return this.#missed;
  }

  /** Aborted at the first signal that asks to end. */
  get aborted(): AbortSignal {
    return this.#controller.signal;
  }

  listen(listener: ((signal: PassedSignal) => void) | null): void {
    this.#listener = listener;
  }

  /** Signals do again what they do by themselves. */
  stop(): void {
    for (const signal of [...ENDING, ...OTHERS]) process.off(signal, this.#catch);
  }
}

/** The exit status by which a shell tells that a signal ended a program. */
export function statusOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
