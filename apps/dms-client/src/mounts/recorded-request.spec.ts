import { parseTargetRequest } from '@app/contracts';
import { recordedRequest } from './recorded-request';

const SEED = {
  context: { user_id: 'user-123', tenant_id: 'tenant-456', project_id: 'project-789', request_id: 'req-1' },
  keystone_token: 'gAAAAABxxx',
  job: {
    jobid: 12345,
    progress: 40,
    status: 'running',
    completed_at: null,
    action: 'backup',
    parent_jobid: 12000,
    job_details: [{ id: 'vm-detail-1', data: { vm_id: 'vm-001', vm_name: 'web-server' } }],
  },
  host: 'compute-01',
  action: 'mount',
  backup_target: {
    id: 'target-123',
    deleted: false,
    type: 's3',
    filesystem_export: null,
    filesystem_export_mount_path: '/var/lib/trilio/triliovault-mounts/xxx',
    status: 'available',
    secret_ref: 'http://barbican:9311/v1/secrets/abc-123',
    nfs_mount_opts: null,
  },
};

function recorded(job: object): Record<string, unknown> {
  const request = parseTargetRequest({ ...SEED, job: { ...SEED.job, ...job } }, 'mount');
  return JSON.parse(JSON.stringify(recordedRequest(request, 'mount'))) as Record<string, unknown>;
}

describe('a recorded request', () => {
  it('has all that was asked, but the token', () => {
    expect(recorded({})).toEqual({ ...SEED, keystone_token: '***' });
  });

  it.each([
    'password',
    'admin_password',
    'auth_token',
    'secret',
    'aws_secret_access_key',
    'AccessKey',
    'credentials',
  ])('does not have what a job carries as %j', (key) => {
    const { job } = recorded({ job_details: [{ id: 'a', data: { [key]: 'hunter2', secret_ref: 'kept' } }] });
    expect(JSON.stringify(job)).not.toContain('hunter2');
    expect(job).toMatchObject({ job_details: [{ id: 'a', data: { [key]: '***', secret_ref: 'kept' } }] });
  });

  it('is never deeper than what a database reads', () => {
    const deep: unknown = JSON.parse(`${'[{"a":'.repeat(45)}1${'}]'.repeat(45)}`);
    const text = JSON.stringify(recorded({ job_details: deep }));
    expect(text).toContain('…');
    expect(text.split('[{').length).toBeLessThan(14);
  });
});
