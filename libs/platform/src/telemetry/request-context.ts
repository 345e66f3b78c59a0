import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { activeTracer } from './observation';
import { parseTraceParent, printTraceParent, type TraceParent } from './trace-parent';

/** What a request is known by on its way through both programs. */
export interface RequestContext {
  /** On every line of the log, in the operation and in events. */
  readonly requestId: string;
  /** Where the caller stands in its trace; null: it said nothing of that. */
  readonly caller: TraceParent | null;
}

/** Headers of an HTTP request or of a message, names in lower case. */
export type Carrier = Readonly<Record<string, unknown>>;

/** AMQP header of a command; over HTTP it is `X-Request-Id`. */
export const REQUEST_ID_HEADER = 'dms-request-id';
export const TRACE_PARENT_HEADER = 'traceparent';

/** As long as UUIDs and the ids of usual proxies, and nothing that could break a line or a query. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:=+/@-]{0,127}$/;

const storage = new AsyncLocalStorage<RequestContext | undefined>();

/** The request that is being worked on; null where the work is the program's own. */
export function currentRequest(): RequestContext | null {
  return storage.getStore() ?? null;
}

/** Runs `work`, and all that it begins, for a request. */
export function forRequest<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** What runs later what it is given, for the request that is being worked on now, and at its place in a trace. */
export function keptContext(): <T>(work: () => T) => T {
  // A snapshot keeps the trace, too, and costs as much as a tenth of all that HTTP does for a request.
  if (activeTracer() !== null) return AsyncLocalStorage.snapshot();
  const context = storage.getStore();
  return (work) => storage.run(context, work);
}

/** The context of an HTTP request: its id, or that of its trace, or a new one. */
export function contextOfHttp(headers: Carrier): RequestContext {
  const caller = parseTraceParent(headers[TRACE_PARENT_HEADER]);
  const requestId = asRequestId(headers['x-request-id']) ?? caller?.traceId ?? randomUUID();
  return { requestId, caller };
}

/** The context that a message brings; null where its sender gives none. */
export function contextOfMessage(headers: Carrier): RequestContext | null {
  const requestId = asRequestId(headers[REQUEST_ID_HEADER]);
  return requestId === null ? null : { requestId, caller: parseTraceParent(headers[TRACE_PARENT_HEADER]) };
}

/** Headers that tell the receiver of a message for which request it is, and where that stands in its trace. */
export function headersOfRequest(): Record<string, string> {
  const context = currentRequest();
  // Where nothing is traced here, the caller's own place is passed on: its trace then goes on at the node.
  const place = activeTracer()?.place() ?? context?.caller ?? null;
  return {
    ...(context === null ? {} : { [REQUEST_ID_HEADER]: context.requestId }),
    ...(place === null ? {} : { [TRACE_PARENT_HEADER]: printTraceParent(place) }),
  };
}

function asRequestId(value: unknown): string | null {
  return typeof value === 'string' && REQUEST_ID.test(value) ? value : null;
}
