import { DmsError } from '@app/contracts';
import { type TraceParent } from './trace-parent';

/**
 * Where work is measured. Services say here which phase begins and ends, and what has happened; metrics and traces, if
 * there are any in the program, look on. Without an onlooker nothing is done.
 */

/** Parts of the work of which it is known how long each takes. */
export const PHASES = [
  'request', // an HTTP request
  'lock_wait', // waiting for the lease of a target
  'ledger', // a transaction that holds a target's row
  'rpc', // a command to a node, until its answer
  'command', // a command on the node
  'queue_wait', // waiting for the commands of the target that came before
  'secret', // reading the secret from the key manager
  'mount', // the provider's mount
  'unmount', // the provider's unmount
] as const;
export type Phase = (typeof PHASES)[number];

/**
 * All that may be said of a phase, read when it ends: what is known only then may be added until then. No secrets, and
 * nothing of a request's body but ids.
 */
export interface Attributes {
  readonly action?: string;
  readonly target_type?: string;
  readonly host?: string;
  readonly backup_target_id?: string;
  readonly jobid?: number;
  readonly operation_id?: string;
  readonly http_method?: string;
  /** The template, not the path. */
  readonly http_route?: string;
  readonly http_status?: number;
}

/** What is wrong with a reply: no signature, a wrong one, or one by a key that is not the node's. */
export const REPLY_PROBLEMS = ['unsigned', 'signature', 'unknown_key'] as const;
export type ReplyProblem = (typeof REPLY_PROBLEMS)[number];

/**
 * Something that is counted.
 * - `unmount_skipped`: an unmount left the mount to others that hold it;
 * - `drift`: reconciling found a difference;
 * - `reply_refused`: a reply was ignored that was not shown to be of the node that was asked;
 * - `fuse_process_started`;
 * - `fuse_process_failed`: one ended, or hung, under its mount; said by each who notices it;
 * - `mount_seen`: what the node's watch saw of a mount.
 */
export type Happening =
  | { readonly what: 'unmount_skipped' }
  | { readonly what: 'drift'; readonly kind: string; readonly outcome: string }
  | { readonly what: 'reply_refused'; readonly problem: ReplyProblem }
  | { readonly what: 'fuse_process_started'; readonly targetId: string }
  | { readonly what: 'fuse_process_failed'; readonly targetId: string; readonly how: 'ended' | 'hung' }
  | { readonly what: 'mount_seen'; readonly kind: string };

export interface PhaseEnd {
  readonly phase: Phase;
  readonly attributes: Attributes;
  readonly seconds: number;
  /** What went wrong; null where nothing did. */
  readonly code: string | null;
}

/** Looks on; it must not throw. */
export interface Observer {
  phaseEnded?(end: PhaseEnd): void;
  happened?(happening: Happening): void;
}

/** Makes a span of each phase. */
export interface Tracer {
  trace<T>(
    phase: Phase,
    attributes: Attributes,
    work: () => Promise<T>,
    codeOf: (result: T) => string | null,
  ): Promise<T>;
  /** A phase that is over. Times are those of `performance.now()`. */
  past(phase: Phase, attributes: Attributes, begun: number, code: string | null): void;
  /** Where the work that is going on stands in its trace; null where it is not traced. */
  place(): TraceParent | null;
}

const observers = new Set<Observer>();
let tracer: Tracer | null = null;

/** @returns what ends the observation */
export function observe(observer: Observer): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

export function traceWith(next: Tracer | null): void {
  tracer = next;
}

export function activeTracer(): Tracer | null {
  return tracer;
}

/**
 * Does `work` as a phase.
 *
 * @param codeOf the error code that a result stands for, where an error is no exception
 * @throws whatever `work` throws
 */
export async function measured<T>(
  phase: Phase,
  attributes: Attributes,
  work: () => Promise<T>,
  codeOf: (result: T) => string | null = noProblem,
): Promise<T> {
  const begun = performance.now();
  try {
    const result = await (tracer === null ? work() : tracer.trace(phase, attributes, work, codeOf));
    ended(phase, attributes, begun, codeOf(result));
    return result;
  } catch (error) {
    ended(phase, attributes, begun, codeOfError(error));
    throw error;
  }
}

/** Reports a phase that is over. @param begun by `performance.now()` */
export function pastPhase(
  phase: Phase,
  attributes: Attributes,
  begun: number,
  code: string | null = null,
): void {
  tracer?.past(phase, attributes, begun, code);
  ended(phase, attributes, begun, code);
}

/** Reports something that is counted. */
export function happened(happening: Happening): void {
  for (const observer of observers) observer.happened?.(happening);
}

export function codeOfError(error: unknown): string {
  return DmsError.from(error).code;
}

function ended(phase: Phase, attributes: Attributes, begun: number, code: string | null): void {
  if (observers.size === 0) return;
  const end: PhaseEnd = { phase, attributes, seconds: (performance.now() - begun) / 1000, code };
  for (const observer of observers) observer.phaseEnded?.(end);
}

function noProblem(): null {
  return null;
}
