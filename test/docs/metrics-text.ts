/** What docs/METRICS.md says before its tables. */
export const METRICS_INTRODUCTION = `# Metrics, logs, traces

Made from the metrics in the code by \`npm run docs\`.

| | where | who may read it |
|---|---|---|
| dms-client | \`GET /metrics\` on the HTTP facade (\`DMS_HTTP_HOST\`, \`DMS_HTTP_PORT\`) | everybody who can connect |
| dms-server | \`GET /metrics\` on the health port (\`DMS_HEALTH_HOST\`, \`DMS_HEALTH_PORT\`) | everybody who can connect |

\`monitoring/\` holds an example configuration for Prometheus, alert rules with their tests, and a dashboard for Grafana.
The rules want the jobs to be called \`dms-client\` and \`dms-server\`. What to do when an alert fires is in
[TROUBLESHOOTING.md](TROUBLESHOOTING.md).

- What is read from the ledger is of all nodes, and every dms-client says the same: take \`max\` over them, not \`sum\`.
  What a process counts is its own: take \`sum\`.
- Such values are read at most every 5 seconds and waited for 2 seconds. Where they cannot be had they are left out,
  \`dms_collector_up\` is 0, \`dms_scrape_errors_total\` grows, and the rest of the page stays.
- No label names a target or a job. \`host\` names at most 1000 nodes; further ones are counted by state alone.
- \`code\` is a code of [the table of errors](../libs/contracts/src/errors/error-codes.ts), or \`none\`.
- Beside these there are those of Node.js and of the process (\`nodejs_…\`, \`process_…\`), under the names that
  prom-client gives them: \`nodejs_eventloop_lag_p99_seconds\`, \`process_resident_memory_bytes\`, …. Its gauges
  \`nodejs_active_handles_total\`, \`nodejs_active_requests_total\` and \`nodejs_active_resources_total\` are left out,
  for only counters are to be called so: take \`sum without (type) (nodejs_active_handles)\`.

## What to watch

| | expression |
|---|---|
| nodes that nobody hears | \`max by (host) (dms_node_up) == 0\` |
| outcomes that are not known | \`max(dms_operations_uncertain_age_seconds)\` |
| mounts that should have gone | \`max(dms_mounts_unheld)\` |
| sharing: unmounts that left the mount to others | \`sum(rate(dms_unmounts_skipped_total[5m]))\` |
| waiting for locks | \`histogram_quantile(0.95, sum by (le) (rate(dms_phase_duration_seconds_bucket{phase="lock_wait"}[5m])))\` |
| contention: waits that were given up | \`sum(increase(dms_lock_timeouts_total[1h]))\` |
| how long a mount takes on the node | \`histogram_quantile(0.95, sum by (le, target_type) (rate(dms_node_phase_duration_seconds_bucket{phase="mount"}[5m])))\` |

The phases of dms-client are \`lock_wait\` (for the lease of a target), \`ledger\` (a transaction that holds a target's row)
and \`rpc\` (a command, until its answer); those of dms-server \`command\` (all of it), \`queue_wait\` (behind earlier commands of
the target), \`secret\` (the key manager), \`mount\` and \`unmount\` (what the provider does). A label that has no meaning
for a phase is \`none\`.
`;

/** What it says behind them. */
export const METRICS_TRACES = `## Logs

One JSON object a line on standard output. \`msg\` says what has happened; \`level\`, \`time\`, \`name\` (the program) and
\`context\` (its part) are on each line.

A line that belongs to a request has \`request_id\`, in dms-client and on the node; so have its operation
(\`GET /api/v1/operations/…\`, the history of its target) and its events. It is the \`X-Request-Id\` of the request, where that
is at most 128 letters, digits and \`._:=+/@-\`; else the trace id of its \`traceparent\`; else a new UUID. It stands in
\`X-Request-Id\` of the answer, also of an error. Requests of one target that meet share one transaction and one command:
these bear the id of the first.

\`\`\`sh
journalctl -u dms-client -o cat | grep "$REQUEST_ID"
journalctl -u dms-server -o cat | grep "$REQUEST_ID"
\`\`\`

## Traces

With \`OTEL_EXPORTER_OTLP_ENDPOINT\` (or \`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT\`) both programs send spans as OTLP over HTTP in
JSON; without them nothing that traces is loaded. A request is one trace: \`POST /api/v1/mount\`, its \`ledger\`
transactions, \`lock_wait\`, \`rpc mount\`, and on the node \`command mount\`, \`queue_wait\`, \`secret\`, \`mount\`. A \`traceparent\` of
the caller is continued. What the programs do by themselves is not traced.

Spans carry ids and nothing of a secret: \`dms.action\`, \`dms.target_type\`, \`dms.host\`, \`dms.backup_target_id\`, \`dms.jobid\`,
\`dms.operation_id\`, \`dms.request_id\`, \`dms.error_code\`, \`http.request.method\`, \`http.route\`, \`http.response.status_code\`;
there are no others. They are sent in the background, from a queue of 2048: a collector that is away costs spans and a line
in the log a minute, and no request waits for it.

\`OTEL_EXPORTER_OTLP_HEADERS\`, \`OTEL_TRACES_SAMPLER\`, \`OTEL_TRACES_SAMPLER_ARG\`, \`OTEL_SERVICE_NAME\`,
\`OTEL_RESOURCE_ATTRIBUTES\`, \`OTEL_BSP_SCHEDULE_DELAY\` and \`OTEL_SDK_DISABLED\` mean what OpenTelemetry says. The protocol is
always http/json.
`;
