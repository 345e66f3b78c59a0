import { traceWith } from './observation';

export interface TracingOptions {
  readonly otlpEndpoint: string | null;
  readonly otlpTracesEndpoint: string | null;
  /** `service.name`, where OTEL_SERVICE_NAME says no other. */
  readonly service: string;
  readonly version: string;
  /** `host.name` of a node, which the machine may not know; else left out. */
  readonly node?: string;
}

let stop: (() => Promise<void>) | null = null;

/**
 * Begins to trace if a collector is configured; the parts of OpenTelemetry that trace are loaded only then. Spans are sent in the background,
 * from a bounded queue: a collector that is away costs spans and nothing else.
 */
export async function startTracing(options: TracingOptions): Promise<void> {
  const url =
    options.otlpTracesEndpoint ??
    (options.otlpEndpoint === null ? null : `${options.otlpEndpoint}/v1/traces`);
  if (url === null || process.env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return;
  const { OtlpTracer } = await import('./otlp-tracer.js');
  const tracer = new OtlpTracer({ ...options, url });
  stop = () => tracer.stop();
  traceWith(tracer);
}

/** Sends what is still queued, for a bounded time. */
export async function stopTracing(): Promise<void> {
  traceWith(null);
  await stop?.();
  stop = null;
}
