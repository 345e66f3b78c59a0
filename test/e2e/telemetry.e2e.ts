import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { metricsOf, type Program } from '../docs/metrics';
import { Fleet } from '../fleet/fleet';
import { filesWith } from '../fleet/files-with';
import { Jobs } from '../fleet/jobs';
import { s3fsProcesses } from '../fleet/node-look';
import { type NodeProcess } from '../fleet/node-process';
import { ROOT } from '../fleet/programs';
import { type S3Target } from '../fleet/targets';
import { type ReceivedSpan, TraceReceiver } from '../fleet/trace-receiver';
import { Prometheus, runCommand, waitFor } from '../rig';
import { describeMonitored } from './on-rig';

const REQUEST_ID = 'order-4711/backup';
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER = { 'x-request-id': REQUEST_ID, traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` };
const RULES = join(ROOT, 'monitoring/alerts.yaml');
/** A daemon that dies is noticed within 2 seconds, which is asserted at three times that; Prometheus looks each second. */
const SEEN_MS = 15_000;
const COMMAND_MS = 60_000;

interface LogLine {
  readonly msg: string;
  readonly request_id?: string;
  readonly trace_id?: string;
  readonly level: string;
}

describeMonitored('what operators see', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let second: NodeProcess;
  let traces: TraceReceiver;
  let prometheus: Prometheus;
  let target: S3Target;
  let foreign: string;
  let keystoneToken: string;

  const address = (url: string): string => new URL(url).host;
  const nodeUrl = (node: NodeProcess): string => node.healthUrl.replace(/\/health$/, '');
  const scrape = async (url: string): Promise<string> => {
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    return response.text();
  };
  const linesOf = async (program: { log(): Promise<string> }): Promise<LogLine[]> =>
    (await program.log())
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  const firing = async (name: string, state: string): Promise<boolean> =>
    (await prometheus.alerts()).some((alert) => alert.labels.alertname === name && alert.state === state);

  beforeAll(async () => {
    traces = await TraceReceiver.start();
    const otel = { OTEL_EXPORTER_OTLP_ENDPOINT: traces.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
    const clientSettings = { ...otel, DMS_RECONCILE_INTERVAL: '0', DMS_LOG_LEVEL: 'INFO' };
    fleet = await Fleet.start(rig, { nodes: 2, nodeSettings: otel, clientSettings });
    second = fleet.nodes[1];
    await fleet.acquainted();
    jobs = new Jobs(fleet);
    prometheus = new Prometheus({
      directory: join(fleet.directory, 'prometheus'),
      rules: [RULES],
      targets: {
        'dms-client': [address(fleet.clients[0].url)],
        'dms-server': fleet.nodes.map(({ healthUrl }) => address(healthUrl)),
      },
    });
    await prometheus.start();
    target = await fleet.targets.s3('watched');
    // Prometheus has seen everything at zero before anything happens.
    const atZero = 'dms_node_fuse_failures_total and on() dms_state_changes_total{kind="lost"}';
    await waitFor(async () => (await prometheus.query(atZero)).length > 0, {
      timeoutMs: 30_000,
      what: 'the first scrapes',
    });

    const request = await fleet.targets.request(fleet.node.host, 1, target);
    keystoneToken = String(request.keystone_token);
    const first = await fleet.api.post('/api/v1/mount', request, CALLER);
    expect(first.body).toMatchObject({ status: 'success' });
    expect(first.headers.get('x-request-id')).toBe(REQUEST_ID);
    await jobs.mount(2, target);
    await jobs.unmount(1, target);
    await jobs.unmount(77, target);
    await jobs.unmount(2, target);
    const secretRef = target.secretRef.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000');
    expect((await jobs.mount(3, { id: 'no-secret', secretRef })).body.error_code).toBe('SECRET_UNAVAILABLE');
    foreign = join(fleet.node.base, 'foreign');
    mkdirSync(foreign);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', foreign]);
    await fleet.api.post('/api/v1/admin/reconcile', { host: fleet.node.host });
  }, 120_000);
  afterAll(async () => {
    await prometheus?.stop();
    await fleet?.stop();
    await traces?.stop();
  });

  describe('metrics', () => {
    it.each<[Program, () => string]>([
      ['dms-client', () => fleet.clients[0].url],
      ['dms-server', () => nodeUrl(fleet.node)],
    ])('of %s are those that are documented, each with its labels', async (program, url) => {
      const page = await scrape(url());
      const seen = [...page.matchAll(/^# TYPE (dms_\S+) (\S+)$/gm)].map(([, name, type]) => ({ name, type }));
      const declared = metricsOf(program);
      expect(seen.sort((one, other) => one.name.localeCompare(other.name))).toEqual(
        declared.map(({ name, type }) => ({ name, type })),
      );
      for (const { name, labels } of declared) {
        const series = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? \\S+$`, 'm').exec(page);
        const found = [...(series?.[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label);
        expect({ name, found: series !== null, labels: found.sort() }).toEqual({
          name,
          found: true,
          labels: [...labels].sort(),
        });
      }
      await runCommand('promtool', ['check', 'metrics'], { timeoutMs: COMMAND_MS, input: page });
    });

    it('say what has happened', async () => {
      const client = await scrape(fleet.clients[0].url);
      for (const line of [
        'dms_operations_total{action="mount",result="success",code="none"} 2',
        'dms_operations_total{action="mount",result="error",code="SECRET_UNAVAILABLE"} 1',
        'dms_operations_total{action="unmount",result="success",code="none"} 3',
        'dms_unmounts_skipped_total 1',
        'dms_drift_total{kind="foreign",outcome="reported"} 1',
        'dms_http_requests_total{method="POST",route="/api/v1/mount",status="502"} 1',
        'dms_commands_total{action="unmount",code="none"} 1',
        'dms_nodes{state="up"} 2',
        'dms_bindings{state="held"} 0',
        'dms_collector_up{collector="ledger"} 1',
        'dms_broker_connected 1',
        `dms_node_up{host="${fleet.node.host}"} 1`,
      ])
        expect(client.split('\n')).toContain(line);
      const node = await scrape(nodeUrl(fleet.node));
      for (const line of [
        'dms_node_commands_total{action="mount",result="success",code="none"} 1',
        'dms_node_commands_total{action="mount",result="error",code="SECRET_UNAVAILABLE"} 1',
        'dms_node_fuse_starts_total 1',
        'dms_node_phase_duration_seconds_count{phase="secret",action="none",target_type="s3",result="error"} 1',
        'dms_node_phase_duration_seconds_count{phase="unmount",action="none",target_type="s3",result="success"} 1',
        'dms_node_broker_connected 1',
      ])
        expect(node.split('\n')).toContain(line);
    });

    it('are scraped by Prometheus, and its rules and the dashboard can be evaluated', async () => {
      const targets = await prometheus.targets();
      expect(targets.map(({ health, lastError }) => ({ health, lastError }))).toEqual(
        Array(3).fill({ health: 'up', lastError: '' }),
      );
      const dashboard = JSON.parse(await readFile(join(ROOT, 'monitoring/dashboard.json'), 'utf8')) as {
        panels: { title: string; targets?: { expr: string }[] }[];
      };
      let empty = dashboard.panels.flatMap(({ targets: shown = [] }) => shown.map(({ expr }) => expr));
      expect(empty.length).toBeGreaterThan(20);
      // A rate needs two samples.
      const allShown = async (): Promise<boolean> => {
        const found = await Promise.all(
          empty.map((expr) => prometheus.query(expr.replaceAll('$__rate_interval', '1m'))),
        );
        empty = empty.filter((_, index) => found[index].length === 0);
        return empty.length === 0;
      };
      await waitFor(allShown, { timeoutMs: SEEN_MS, what: 'values in each panel' }).catch(() => undefined);
      expect(empty).toEqual([]);
    });

    it('have rules that promtool takes, whose tests pass', async () => {
      for (const args of [
        ['check', 'rules', RULES],
        ['test', 'rules', join(ROOT, 'monitoring/alerts.test.yaml')],
        ['check', 'config', join(ROOT, 'monitoring/prometheus.yaml')],
      ])
        expect((await runCommand('promtool', args, { timeoutMs: COMMAND_MS })).stdout).toContain('SUCCESS');
    });

    it('make alerts fire for a daemon that was killed and a node that is gone', async () => {
      const { body } = await jobs.mount(5, target);
      expect(body).toMatchObject({ status: 'success' });
      expect(await firing('DmsFuseProcessFailed', 'firing')).toBe(false);
      await second.stop();
      process.kill(s3fsProcesses(target.bucket)[0], 'SIGKILL');
      for (const [name, state] of [
        ['DmsFuseProcessFailed', 'firing'],
        ['DmsHoldsLost', 'firing'],
        // These wait for a minute before they fire.
        ['DmsNodeSilent', 'pending'],
        ['DmsProgramDown', 'pending'],
      ] as const)
        await waitFor(() => firing(name, state), { timeoutMs: 3 * SEEN_MS, what: `${name} to be ${state}` });
      const alerts = await prometheus.alerts();
      expect(alerts.find(({ labels }) => labels.alertname === 'DmsNodeSilent')?.labels.host).toBe(
        second.host,
      );
      expect(alerts.find(({ labels }) => labels.alertname === 'DmsFuseProcessFailed')).toMatchObject({
        labels: { how: 'ended', instance: address(fleet.node.healthUrl) },
        annotations: { runbook_url: 'docs/TROUBLESHOOTING.md#a-fuse-process-ended-or-hangs' },
      });
    }, 120_000);
  });

  describe('logs', () => {
    it('bear the id of the request, on the node too, and so do operation and history', async () => {
      const client = await linesOf(fleet.clients[0]);
      const node = await linesOf(fleet.node);
      const of = (lines: LogLine[]): string[] =>
        lines.filter(({ request_id }) => request_id === REQUEST_ID).map(({ msg }) => msg);
      expect(of(client)).toContain('Successfully acquired lock for mount_unmount');
      expect(of(node)).toEqual(
        expect.arrayContaining([`Spawning s3fs for target ${target.id}`, 'mount: success']),
      );
      expect(node.find(({ request_id }) => request_id === REQUEST_ID)?.trace_id).toBe(TRACE_ID);
      const { body } = await fleet.api.get<{
        operations: { request_id: string | null; jobid: number | null }[];
      }>(`/api/v1/targets/${target.id}/history?limit=100`);
      const asked = body.operations.filter(({ jobid }) => jobid !== null);
      const ids = asked.map(({ request_id }) => request_id);
      expect(ids.filter((id) => id === REQUEST_ID)).toHaveLength(1);
      expect(ids).not.toContain(null);
      expect(new Set(ids).size).toBe(ids.length);
    });

    it('give an id to a request whose own is not well formed, also where it fails', async () => {
      const made = await fleet.api.with({ 'x-request-id': 'no spaces here' }).get('/api/v1/none');
      expect(made.status).toBe(404);
      expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
      const traced = await fleet.api.with({ traceparent: CALLER.traceparent }).get('/health/live');
      expect(traced.headers.get('x-request-id')).toBe(TRACE_ID);
    });

    it.each([
      ['dms-client', 'Successfully acquired lock for mount_unmount'],
      ['dms-client', /^Found 2 active mount\(s\) for /],
      ['dms-client', 'Single active mount detected. Sending unmount request'],
      ['dms-client', 'Multiple active mounts (2) detected. Skipping physical unmount'],
      ['dms-client', 'No active mount found for this job'],
      ['dms-server', 'Mount failed'],
      ['dms-server', /^Spawning s3fs for target watched-/],
      ['dms-server', /^✓ s3fs spawned successfully for target watched-/],
      ['dms-server', /^ {2}PID: \d+$/],
      ['dms-server', /^ {2}Mount path: \//],
      ['dms-server', /^ {2}PID file: .*\.pid$/],
      ['dms-server', /^ {2}Total tracked processes: \d+$/],
      ['dms-server', /^Killing s3fs process for target watched-/],
      ['dms-server', /^ {2}Uptime: \d+:\d\d:\d\d$/],
      ['dms-server', /^✓ s3fs process killed for target watched-/],
      ['dms-server', /^✓ PID file deleted: .*\.pid$/],
    ])('of %s hold the line of the Python system: %s', async (program, words) => {
      const lines = await linesOf(program === 'dms-client' ? fleet.clients[0] : fleet.node);
      const found = lines.filter(({ msg }) => (typeof words === 'string' ? msg === words : words.test(msg)));
      expect(found.length).toBeGreaterThan(0);
      expect(found.map(({ level }) => level)).not.toContain('debug');
    });
  });

  describe('traces', () => {
    const spansOf = (traceId: string): ReceivedSpan[] =>
      traces.spans.filter((span) => span.traceId === traceId);

    it('hold a request from HTTP to the mount on the node, as one tree below its caller', async () => {
      const names = (): string[] => spansOf(TRACE_ID).map(({ service, name }) => `${service}: ${name}`);
      const expected = [
        'dms-client: POST /api/v1/mount',
        'dms-client: ledger',
        'dms-client: lock_wait',
        'dms-client: rpc mount',
        'dms-server: command mount',
        'dms-server: secret',
        'dms-server: mount',
      ];
      await waitFor(() => expected.every((name) => names().includes(name)), {
        timeoutMs: 15_000,
        what: 'all spans',
      });
      const spans = new Map(spansOf(TRACE_ID).map((span) => [span.spanId, span]));
      const pathOf = (span: ReceivedSpan): string[] => {
        const parent = spans.get(span.parentSpanId ?? '');
        return [...(parent === undefined ? [String(span.parentSpanId)] : pathOf(parent)), span.name];
      };
      const one = (name: string): ReceivedSpan => {
        const found = [...spans.values()].filter((span) => span.name === name);
        expect(found).toHaveLength(1);
        return found[0];
      };
      const way = ['b7ad6b7169203331', 'POST /api/v1/mount', 'rpc mount', 'command mount', 'mount'];
      expect(pathOf(one('secret'))).toEqual([...way, 'secret']);
      expect(pathOf(one('mount'))).toEqual(way);
      expect(one('command mount').attributes).toMatchObject({
        'dms.request_id': REQUEST_ID,
        'dms.backup_target_id': target.id,
        'dms.operation_id': one('rpc mount').attributes['dms.operation_id'],
      });
      expect(one('POST /api/v1/mount').attributes).toMatchObject({ 'http.response.status_code': 200 });
    });

    it('carry no secret and no attribute beyond those that are documented', async () => {
      const text = await readFile(join(ROOT, 'docs/METRICS.md'), 'utf8');
      const names = new Set(traces.spans.flatMap(({ attributes }) => Object.keys(attributes)));
      expect(names.size).toBeGreaterThan(5);
      expect([...names].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
      const { s3 } = rig;
      for (const secret of [keystoneToken, s3?.secretKey, s3?.accessKey])
        expect(traces.bodies.filter((body) => body.includes(String(secret)))).toEqual([]);
      expect(await filesWith(keystoneToken, fleet.directory)).toEqual([]);
    });
  });

  describe('without what they need', () => {
    it('nothing that traces is loaded where no collector is configured', async () => {
      const list = join(fleet.directory, 'loaded');
      const hook = join(fleet.directory, 'hook.cjs');
      writeFileSync(
        hook,
        `process.on('SIGUSR2', () => require('fs').writeFileSync('${list}', Object.keys(require.cache).join('\\n')));`,
      );
      const client = fleet.addClient({ NODE_OPTIONS: `--require=${hook}` });
      await client.start();
      client.signal('SIGUSR2');
      await waitFor(() => existsSync(list) && readFileSync(list, 'utf8').length > 0, {
        timeoutMs: 10_000,
        what: 'the list of modules',
      });
      const loaded = readFileSync(list, 'utf8').split('\n');
      expect(loaded.some((path) => path.includes('/node_modules/prom-client/'))).toBe(true);
      // prom-client itself loads the interfaces of OpenTelemetry.
      const tracing = /otlp-tracer|@opentelemetry\/(?!api\/)/;
      expect(loaded.filter((path) => tracing.test(path))).toEqual([]);
      await client.stop();
    }, 60_000);

    it('requests go on without a collector, and it is said once', async () => {
      await traces.stop();
      for (let round = 0; round < 3; round += 1)
        expect((await fleet.api.get('/api/v1/bindings')).status).toBe(200);
      const complaints = async (): Promise<number> =>
        (await linesOf(fleet.clients[0])).filter(({ msg }) => msg.startsWith('Traces cannot be sent')).length;
      await waitFor(async () => (await complaints()) > 0, { timeoutMs: 20_000, what: 'the complaint' });
      expect((await fleet.api.get('/api/v1/bindings')).status).toBe(200);
      expect(await complaints()).toBe(1);
    }, 60_000);

    it('the page of a dms-client whose ledger does not answer comes in time, with what it knows', async () => {
      // Whoever reads them waits for whoever has them.
      const holder = await createConnection(fleet.databaseUrl);
      try {
        await holder.query('LOCK TABLES mount_operations WRITE, nodes WRITE, target_mounts WRITE');
        const gone = async (): Promise<boolean> =>
          (await scrape(fleet.clients[0].url)).includes('dms_collector_up{collector="ledger"} 0');
        await waitFor(gone, { timeoutMs: 20_000, what: 'the collector to fail' });
        const began = performance.now();
        const page = await scrape(fleet.clients[0].url);
        expect(performance.now() - began).toBeLessThan(3 * 2_000);
        expect(page).toMatch(/^dms_scrape_errors_total\{collector="ledger"\} [1-9]/m);
        expect(page).not.toMatch(/^dms_mounts\{/m);
        expect(page).not.toMatch(/^dms_mounts_unheld /m);
        expect(page).toMatch(/^dms_operations_total\{/m);
        expect((await fleet.api.get('/health/live')).status).toBe(200);
      } finally {
        await holder.end();
      }
      await waitFor(
        async () => (await scrape(fleet.clients[0].url)).includes('dms_collector_up{collector="ledger"} 1'),
        { timeoutMs: 20_000, what: 'the collector to be back' },
      );
    }, 90_000);
  });
});
