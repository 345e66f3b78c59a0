import { type Fleet } from '../fleet/fleet';
import { type HarmPlace } from './harm-log';
import { type Journal } from './journal';
import { type Program } from './keeper';
import { type Random } from './random';

export type Action = 'mount' | 'unmount';

/** The part of an answer's body that the jobs look at. */
export interface AnswerBody {
  readonly status?: string;
  readonly error_code?: string | null;
  readonly error_msg?: string | null;
  readonly success_msg?: string | null;
  readonly operation_id?: string;
  readonly mount_path?: string | null;
  readonly device?: string | null;
  readonly unmounted?: boolean;
  readonly physically_mounted?: boolean;
  readonly active_mounts_remaining?: number;
  /** Of a binding. */
  readonly state?: string;
}

/** A request that was sent, or could not be, and what came of it. */
export interface Asked {
  readonly jobid: number;
  readonly action: Action;
  readonly place: HarmPlace;
  readonly client: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The HTTP status; `cut`: sent, but the connection was lost or the answer did not come; `refused`: never sent. */
  readonly status: number | 'cut' | 'refused';
  readonly body: AnswerBody;
}

/** Waiting for an answer that a dms-client would have given by itself long ago. */
const PATIENCE_MS = 5_000;
const LOOK_TIMEOUT_MS = 4_000;

/**
 * The HTTP side of job orchestrators: each request goes to a dms-client that is chosen by chance, and is remembered with
 * its answer.
 */
export class Orchestrator {
  readonly asked: Asked[] = [];
  /** Whom the requests that have no answer yet were sent to, and the hosts that they are for. */
  readonly #waiting = new Set<{ readonly client: Program; readonly host: string | null }>();

  constructor(
    private readonly fleet: Fleet,
    private readonly journal: Journal,
    private readonly requestTimeoutMs: number,
  ) {}

  /** Sends one request; never rejects. */
  async ask(
    action: Action,
    request: Record<string, unknown>,
    { jobid, place, random, key }: { jobid: number; place: HarmPlace; random: Random; key?: string },
  ): Promise<Asked> {
    const client = random.pick(this.fleet.clients);
    const sentAt = this.journal.now();
    const waiting = { client, host: place.host };
    this.#waiting.add(waiting);
    const outcome = await send(`${client.url}/api/v1/${action}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify({ ...request, job: { jobid } }),
      signal: AbortSignal.timeout(this.requestTimeoutMs + PATIENCE_MS),
    });
    this.#waiting.delete(waiting);
    const name = `client ${this.fleet.clients.indexOf(client) + 1}`;
    const asked = {
      jobid,
      action,
      place,
      client: name,
      sentAt,
      answeredAt: this.journal.now(),
      ...outcome,
    };
    this.asked.push(asked);
    this.journal.note(`job ${jobid}`, `${action} by ${name}: ${describe(asked)}`);
    return asked;
  }

  /** Whether a mount or unmount of which this program has a part has no answer yet. */
  isWaitingFor(program: Program): boolean {
    return [...this.#waiting].some(
      ({ client, host }) => client === program || ('host' in program && program.host === host),
    );
  }

  /** The state of a binding as a dms-client tells it; `none` where there is no such binding, null without an answer. */
  async bindingState(
    jobid: number,
    { host, targetId }: { host: string; targetId: string },
    random: Random,
  ): Promise<string | null> {
    const { url } = random.pick(this.fleet.clients);
    const { status, body } = await send(`${url}/api/v1/bindings/${jobid}/${targetId}?host=${host}`, {
      signal: AbortSignal.timeout(LOOK_TIMEOUT_MS),
    });
    if (status === 404) return 'none';
    return status === 200 ? (body.state ?? null) : null;
  }
}

/** Answers by which, as docs/SEMANTICS.md promises, the job holds nothing; so does a request that was never sent. */
export function isFinalRefusal({ status }: Asked): boolean {
  if (typeof status !== 'number') return status === 'refused';
  return (status >= 400 && status < 500) || status === 502 || status === 503;
}

/** What came of a request, in a few words. */
export function describe({ status, body, sentAt, answeredAt }: Asked): string {
  const took = `${answeredAt - sentAt} ms`;
  if (status !== 200) {
    const words = [status, body.error_code, body.error_msg].filter((word) => word !== undefined);
    return `${words.join(' ')} (${took}; operation ${body.operation_id ?? 'unknown'})`;
  }
  const parts = [
    body.mount_path ?? 'no path',
    body.device === undefined ? '' : `device ${body.device}`,
    body.unmounted === undefined ? '' : `unmounted ${body.unmounted}`,
    body.active_mounts_remaining === undefined ? '' : `remaining ${body.active_mounts_remaining}`,
    body.error_code ?? '',
  ].filter((part) => part !== '');
  return `200 ${parts.join(', ')} (${took}; operation ${body.operation_id ?? 'unknown'})`;
}

async function send(url: string, init: RequestInit): Promise<Pick<Asked, 'status' | 'body'>> {
  try {
    const response = await fetch(url, init);
    return { status: response.status, body: (await response.json()) as AnswerBody };
  } catch (error) {
    return { status: causeOf(error) === 'ECONNREFUSED' ? 'refused' : 'cut', body: {} };
  }
}

function causeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
}
