/** Where a piece of work stands in a distributed trace. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Bit 0: the caller records this trace. */
  readonly flags: number;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NOT_A_VERSION = 'ff';

/** The header `traceparent` of W3C Trace Context; null where `value` is none, or not well formed. */
export function parseTraceParent(value: unknown): TraceParent | null {
  const match = typeof value === 'string' && value.length <= 256 ? FORM.exec(value) : null;
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  // Only later versions may say more than the first one does.
  if (version === NOT_A_VERSION || (version === '00' && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, flags: parseInt(flags, 16) };
}

export function printTraceParent({ traceId, spanId, flags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;
}
