import { Logger } from '@nestjs/common';
import {
  context,
  type Context,
  diag,
  DiagLogLevel,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as OtelTracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { type Attributes, codeOfError, type Phase, type Tracer } from './observation';
import { currentRequest } from './request-context';
import { type TraceParent } from './trace-parent';

/** Spans that wait for the collector; what is more is dropped. */
const QUEUE = 2_048;
const SEND_TIMEOUT_MS = 5_000;
/** At the end of the program. */
const STOP_MS = 2_000;
const COMPLAIN_EVERY_MS = 60_000;

const KINDS: Partial<Record<Phase, SpanKind>> = {
  request: SpanKind.SERVER,
  rpc: SpanKind.CLIENT,
  command: SpanKind.SERVER,
  secret: SpanKind.CLIENT,
};

/** The names under which attributes leave the program: there are no others. */
const NAMES: Record<keyof Attributes, string> = {
  action: 'dms.action',
  target_type: 'dms.target_type',
  host: 'dms.host',
  backup_target_id: 'dms.backup_target_id',
  jobid: 'dms.jobid',
  operation_id: 'dms.operation_id',
  http_method: 'http.request.method',
  http_route: 'http.route',
  http_status: 'http.response.status_code',
};

export interface OtlpTracerOptions {
  readonly url: string;
  readonly service: string;
  readonly version: string;
  readonly node?: string;
}

/** Spans by OpenTelemetry, sent as OTLP over HTTP in JSON. */
export class OtlpTracer implements Tracer {
  readonly #provider: NodeTracerProvider;
  readonly #tracer: OtelTracer;

  constructor({ url, service, version, node }: OtlpTracerOptions) {
    complainRarely();
    const exporter = new OTLPTraceExporter({ url, timeoutMillis: SEND_TIMEOUT_MS });
    const attributes = { 'service.name': service, 'service.version': version };
    this.#provider = new NodeTracerProvider({
      // What the environment says (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) wins.
      resource: defaultResource()
        .merge(resourceFromAttributes(node === undefined ? attributes : { ...attributes, 'host.name': node }))
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          maxQueueSize: QUEUE,
          scheduledDelayMillis: numberFrom('OTEL_BSP_SCHEDULE_DELAY', 1_000),
          exportTimeoutMillis: SEND_TIMEOUT_MS,
        }),
      ],
    });
    // Headers are read and written by us, from a form that is checked.
    this.#provider.register({ propagator: null });
    this.#tracer = this.#provider.getTracer('dms', version);
  }

  async trace<T>(
    phase: Phase,
    attributes: Attributes,
    work: () => Promise<T>,
    codeOf: (result: T) => string | null,
  ): Promise<T> {
    const parent = parentOf(phase, attributes);
    if (parent === null) return work();
    const span = this.#begin(phase, attributes, parent);
    try {
      const result = await context.with(trace.setSpan(parent, span), work);
      end(span, phase, attributes, codeOf(result));
      return result;
    } catch (error) {
      end(span, phase, attributes, codeOfError(error));
      throw error;
    }
  }

  past(phase: Phase, attributes: Attributes, begun: number, code: string | null): void {
    const parent = parentOf(phase, attributes);
    if (parent === null) return;
    end(this.#begin(phase, attributes, parent, performance.timeOrigin + begun), phase, attributes, code);
  }

  place(): TraceParent | null {
    const span = trace.getActiveSpan()?.spanContext();
    return span === undefined ? null : { ...span, flags: span.traceFlags };
  }

  /** Sends what is queued, for a bounded time. */
  async stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    await Promise.race([this.#provider.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
  }

  #begin(phase: Phase, attributes: Attributes, parent: Context, startTime?: number): Span {
    return this.#tracer.startSpan(
      nameOf(phase, attributes),
      { kind: KINDS[phase] ?? SpanKind.INTERNAL, startTime },
      parent,
    );
  }
}

/** Null for what is the program's own work, of which there is no trace. */
function parentOf(phase: Phase, { action }: Attributes): Context | null {
  const active = context.active();
  if (trace.getSpan(active) !== undefined) return active;
  if (phase !== 'request' && phase !== 'command') return null;
  const caller = currentRequest()?.caller ?? null;
  if (caller !== null) {
    const { traceId, spanId, flags } = caller;
    return trace.setSpanContext(active, { traceId, spanId, traceFlags: flags, isRemote: true });
  }
  // Clients look at nodes all the time; what begins a trace is what somebody has asked for.
  return phase === 'request' || action === 'mount' || action === 'unmount' ? active : null;
}

function nameOf(phase: Phase, { action, http_method: method, http_route: route }: Attributes): string {
  if (phase === 'request') return `${method} ${route ?? ''}`.trim();
  return action === undefined ? phase : `${phase} ${action}`;
}

function end(span: Span, phase: Phase, attributes: Attributes, code: string | null): void {
  span.updateName(nameOf(phase, attributes));
  for (const [key, name] of Object.entries(NAMES)) {
    const value = attributes[key as keyof Attributes];
    if (value !== undefined) span.setAttribute(name, value);
  }
  const requestId = currentRequest()?.requestId;
  if (requestId !== undefined) span.setAttribute('dms.request_id', requestId);
  if (code !== null) span.setAttribute('dms.error_code', code).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** A collector that is away is told once a minute, and nothing more comes of it. */
function complainRarely(): void {
  const log = new Logger('Tracing');
  let last = -Infinity;
  const complain = (): void => {
    if (performance.now() - last < COMPLAIN_EVERY_MS) return;
    last = performance.now();
    log.warn('Traces cannot be sent to the collector; they are dropped');
  };
  const ignore = (): void => undefined;
  const logger = { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

function numberFrom(variable: string, otherwise: number): number {
  const value = Number(process.env[variable] || NaN);
  return Number.isFinite(value) && value > 0 ? value : otherwise;
}
