import { happened, measured, pastPhase } from '@app/platform';
import { MetricsPage } from '@app/platform/metrics';
import { DmsError } from '@app/contracts';
import { NodeMetrics } from './node-metrics';

describe('the metrics of a node', () => {
  let page: MetricsPage;
  let metrics: NodeMetrics;

  beforeEach(() => {
    page = new MetricsPage('dms-server', '1');
    metrics = new NodeMetrics(page);
  });
  afterEach(() => metrics.onModuleDestroy());

  const line = async (start: string): Promise<string | undefined> =>
    (await page.text()).split('\n').find((text) => text.startsWith(start));

  it('count the failure of a FUSE process once, whoever notices it, until there is another one', async () => {
    const failed = { what: 'fuse_process_failed', targetId: 't1' } as const;
    happened({ ...failed, how: 'ended' });
    happened({ ...failed, how: 'hung' });
    happened({ ...failed, targetId: 't2', how: 'hung' });
    const ended = 'dms_node_fuse_failures_total{how="ended"}';
    expect(await line(ended)).toBe(`${ended} 1`);
    expect(await line('dms_node_fuse_failures_total{how="hung"}')).toMatch(/ 1$/);
    happened({ what: 'fuse_process_started', targetId: 't1' });
    happened({ ...failed, how: 'ended' });
    expect(await line(ended)).toBe(`${ended} 2`);
  });

  it('time phases, with the code of an error that is thrown and of one that is returned', async () => {
    await measured('mount', { target_type: 's3' }, () => Promise.resolve());
    await expect(
      measured('secret', {}, () => Promise.reject(new DmsError('AUTH_EXPIRED', 'old'))),
    ).rejects.toThrow('old');
    await measured(
      'command',
      { action: 'unmount' },
      () => Promise.resolve('BUSY'),
      (code) => code,
    );
    pastPhase('queue_wait', {}, performance.now() - 2_000);
    const count = (labels: string): string => `dms_node_phase_duration_seconds_count{${labels}} 1`;
    const text = (await page.text()).split('\n');
    expect(text).toEqual(
      expect.arrayContaining([
        count('phase="mount",action="none",target_type="s3",result="success"'),
        count('phase="secret",action="none",target_type="none",result="error"'),
        'dms_node_commands_total{action="unmount",result="error",code="BUSY"} 1',
        'dms_node_phase_duration_seconds_bucket{le="1",phase="queue_wait",action="none",target_type="none",result="success"} 0',
        'dms_node_phase_duration_seconds_bucket{le="2.5",phase="queue_wait",action="none",target_type="none",result="success"} 1',
      ]),
    );
  });

  it('end with their application', async () => {
    metrics.onModuleDestroy();
    happened({ what: 'mount_seen', kind: 'broken' });
    expect(await line('dms_node_mount_events_total{kind="broken"}')).toMatch(/ 0$/);
  });
});
