import { asHttpUrl } from '../settings/parsers';

/** Where traces go: the variables of OpenTelemetry, so that one file serves all programs of a machine. */
export const TELEMETRY_SETTINGS = {
  otlpEndpoint: {
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    help: 'OpenTelemetry collector, e.g. http://collector:4318: traces go to its /v1/traces, as OTLP over HTTP in JSON. Without it nothing is traced.',
    default: null,
    parse: asHttpUrl,
  },
  otlpTracesEndpoint: {
    env: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    help: 'Where traces go, as a whole URL; wins over OTEL_EXPORTER_OTLP_ENDPOINT.',
    default: null,
    parse: asHttpUrl,
  },
} as const;
