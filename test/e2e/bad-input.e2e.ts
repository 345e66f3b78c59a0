import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { describeOnRig } from './on-rig';

type Body = Record<string, unknown>;

const WIDE = Object.fromEntries(Array.from({ length: 80_000 }, (_, index) => [index.toString(36), 0]));

/** [what is wrong, the field that the answer names, how the request is spoilt] */
const CASES: [string, string, (request: Body) => Body][] = [
  ['a job id as string', 'job.jobid', (r) => ({ ...r, job: { jobid: 'job-789' } })],
  ['a job id of zero', 'job.jobid', (r) => ({ ...r, job: { jobid: 0 } })],
  ['a job id with a fraction', 'job.jobid', (r) => ({ ...r, job: { jobid: 1.5 } })],
  ['a job id over 2^53-1', 'job.jobid', (r) => ({ ...r, job: { jobid: 2 ** 53 } })],
  ['a null job id', 'job.jobid', (r) => ({ ...r, job: { jobid: null } })],
  ['no job', 'job', ({ job: _, ...r }) => r],
  ['a job that is an array', 'job', (r) => ({ ...r, job: [] })],
  ['two job ids that differ', 'jobid', (r) => ({ ...r, jobid: 99_999 })],
  ['80,000 keys in one object', 'body', (r) => ({ ...r, job: { ...(r.job as Body), job_details: [{ id: 1, data: WIDE }] } })],
  ['80,000 keys that nobody knows', 'body', (r) => ({ ...r, ...WIDE })],
  ['no host', 'host', ({ host: _, ...r }) => r],
  ['a host with a slash', 'host', (r) => ({ ...r, host: 'a/b' })],
  ['a host of 252 bytes', 'host', (r) => ({ ...r, host: 'h'.repeat(252) })],
  ['no target', 'backup_target', ({ backup_target: _, ...r }) => r],
  ['a null target id', 'backup_target.id', target({ id: null })],
  ['an empty target id', 'backup_target.id', target({ id: '' })],
  ['a target id of 256 characters', 'backup_target.id', target({ id: 'x'.repeat(256) })],
  ['a target id with a slash', 'backup_target.id', target({ id: 'a/b' })],
  ['a target id that climbs', 'backup_target.id', target({ id: '../evil' })],
  ['a target id with NUL', 'backup_target.id', target({ id: 'a\u0000b' })],
  ['a target id that begins with a dash', 'backup_target.id', target({ id: '-rf' })],
  ['an unknown type', 'backup_target.type', target({ type: 'smb' })],
  ['a type that is no string', 'backup_target.type', target({ type: 7 })],
  ['a deleted target', 'backup_target.deleted', target({ deleted: true })],
  ['an unavailable target', 'backup_target.status', target({ status: 'unavailable' })],
  ['a relative path', 'backup_target.filesystem_export_mount_path', target({ filesystem_export_mount_path: 'x/y' })],
  ['a path that climbs', 'backup_target.filesystem_export_mount_path', target({ filesystem_export_mount_path: '/var/../etc' })],
  ['a path outside the bases', 'backup_target.filesystem_export_mount_path', target({ filesystem_export_mount_path: '/etc/x' })],
  ['no secret', 'backup_target.secret_ref', target({ secret_ref: null })],
  ['a secret that is no URL', 'backup_target.secret_ref', target({ secret_ref: 'abc' })],
  ['a secret with a user', 'backup_target.secret_ref', (r) => {
    const { secret_ref } = r.backup_target as { secret_ref: string };
    return target({ secret_ref: secret_ref.replace('//', '//user@') })(r);
  }],
  ['no export', 'backup_target.filesystem_export', target({ type: 'nfs' })],
  ['an export that begins with a dash', 'backup_target.filesystem_export', target({ type: 'nfs', filesystem_export: '-o:/x' })],
  ['an NFS option that is not allowed', 'backup_target.nfs_mount_opts', target({ nfs_mount_opts: 'rw,suid' })],
  ['no token', 'keystone_token', ({ keystone_token: _, ...r }) => r],
  ['a token that is no string', 'keystone_token', (r) => ({ ...r, keystone_token: { a: 1 } })],
  ['the other action', 'action', (r) => ({ ...r, action: 'unmount' })],
  ['read_only as a string', 'read_only', (r) => ({ ...r, read_only: 'yes' })],
  ['a hold id of 192 characters', 'hold_id', (r) => ({ ...r, hold_id: 'h'.repeat(192) })],
  ['a lease that is too short', 'lease_s', (r) => ({ ...r, lease_s: 1 })],
]; // prettier-ignore

function target(changes: Body): (request: Body) => Body {
  return (request) => ({ ...request, backup_target: { ...(request.backup_target as Body), ...changes } });
}

describeOnRig('bad input over HTTP', (rig) => {
  let fleet: Fleet;
  let good: S3Target;
  let request: Body;

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    good = await fleet.targets.s3('bad-input');
    request = await fleet.targets.request(fleet.node.host, 1, good);
  });
  afterAll(() => fleet?.stop());

  it.each(CASES)('refuses %s and names %s', async (_, field, spoil) => {
    const { status, body } = await fleet.api.post('/api/v1/mount', spoil(request));
    expect({ status, code: body.error_code }).toEqual({ status: 400, code: 'VALIDATION_FAILED' });
    expect(String(body.error_msg)).toContain(`${field}: `);
    expect(body.success_msg).toBeNull();
    expect(JSON.stringify(body)).not.toContain(String(request.keystone_token));
  });

  it.each([
    ['no JSON', '{"job":', 400, 'VALIDATION_FAILED'],
    ['a JSON array', '[]', 400, 'VALIDATION_FAILED'],
    ['null', 'null', 400, 'VALIDATION_FAILED'],
    ['what has no end', `{"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 400, 'VALIDATION_FAILED'],
    ['10 MB', JSON.stringify({ x: 'x'.repeat(10_000_000) }), 413, 'TOO_LARGE'],
  ])('refuses %s and names the body', async (_, text, status, code) => {
    const answer = await fleet.api.postText('/api/v1/mount', text);
    expect({ status: answer.status, code: answer.body.error_code }).toEqual({ status, code });
    expect(String(answer.body.error_msg)).toContain('body');
  });

  it('refuses an empty body and names what is missing', async () => {
    const { status, body } = await fleet.api.postText('/api/v1/mount', '');
    expect(status).toBe(400);
    for (const field of ['job', 'host', 'backup_target']) expect(body.error_msg).toContain(`${field}: `);
  });

  it('has left nothing, and the next request works', async () => {
    expect(mountsBelow(fleet.node.base)).toEqual([]);
    const pending = await fleet.query(
      `SELECT id FROM mount_operations WHERE status IN ('pending', 'executing')`,
    );
    const bindings = await fleet.query(
      `SELECT id FROM backup_target_mount_ledger WHERE mounted OR state = 'claimed'`,
    );
    expect({ pending, bindings }).toEqual({ pending: [], bindings: [] });
    expect((await fleet.api.post('/api/v1/mount', request)).body).toMatchObject({ status: 'success' });
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
  });

  it('lets a deleted, unavailable target be unmounted', async () => {
    await fleet.api.post('/api/v1/mount', request);
    const gone = target({ deleted: true, status: 'unavailable', secret_ref: null })(request);
    expect((await fleet.api.post('/api/v1/unmount', gone)).body).toMatchObject({
      status: 'success',
      unmounted: true,
    });
  });

  it('answers an unknown path with the one error body', async () => {
    const { status, body } = await fleet.api.get('/api/v1/no-such-thing');
    expect({ status, body }).toMatchObject({
      status: 404,
      body: { status: 'error', error_code: 'NOT_FOUND' },
    });
  });
});
