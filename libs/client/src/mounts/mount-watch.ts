import { type BindingDto, type StateEventDto, type StateEventKind } from '../../../contracts/src/plain';
import { type EventOptions } from '../events/event-stream';
import { pause } from '../http/retrying';

/** After these the state is asked for: an event is a hint, and what counts is the ledger. */
const TELLING: readonly StateEventKind[] = ['broken', 'lost', 'released', 'unmounted'];
/** How often the state is asked for where no events come. */
const POLL_MS = 5_000;

/** What is needed of the service. */
export interface WatchedService {
  events(options: EventOptions): AsyncIterable<StateEventDto>;
  /** Null where there is no such hold. */
  status(signal: AbortSignal): Promise<BindingDto | null>;
}

/**
 * Notices that a hold was lost: by the service's events and, where the stream is lost, by asking for the state. A
 * service that does not answer says nothing of the mount.
 */
export class MountWatch {
  readonly #controller = new AbortController();
  readonly #running: Promise<unknown>;
  #connected = false;

  /** @param onLost is told once, with what the matter is */
  constructor(
    private readonly service: WatchedService,
    private readonly onLost: (problem: string) => void,
  ) {
    this.#running = Promise.all([this.#listen(), this.#poll()]);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#running;
  }

  async #listen(): Promise<void> {
    const { signal } = this.#controller;
    const onConnect = (): void => {
      this.#connected = true;
      void this.#look();
    };
    const onDisconnect = (): void => void (this.#connected = false);
    try {
      for await (const { kind } of this.service.events({ signal, onConnect, onDisconnect })) {
        if (TELLING.includes(kind)) await this.#look();
      }
    } catch {
      // Events are refused: asking goes on.
    }
    this.#connected = false;
  }

  async #poll(): Promise<void> {
    const { signal } = this.#controller;
    while (!signal.aborted) {
      await pause(POLL_MS, signal).catch(() => undefined);
      if (!this.#connected && !signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { signal } = this.#controller;
    try {
      const problem = problemOf(await this.service.status(signal));
      if (problem === null || signal.aborted) return;
      this.#controller.abort();
      this.onLost(problem);
    } catch {
      // It is asked again.
    }
  }
}

function problemOf(binding: BindingDto | null): string | null {
  if (binding === null || binding.state === 'released') return 'The job holds the target no more';
  if (binding.state === 'lost') return 'The mount was lost';
  return binding.mount_state === 'BROKEN' ? 'The mount is broken' : null;
}
