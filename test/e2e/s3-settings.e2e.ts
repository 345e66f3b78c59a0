import { readFileSync } from 'node:fs';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { s3fsProcesses } from '../fleet/node-look';
import { Recorder } from '../fleet/recorder';
import { describeOnRig } from './on-rig';

const SESSION_TOKEN = 'a-token-of-a-session';

/** The proxy is one that answers every request with 401, and remembers it. */
describeOnRig('an S3 mount on a node behind a proxy', (rig) => {
  let proxy: Recorder;
  let fleet: Fleet;
  let jobs: Jobs;

  beforeAll(async () => {
    proxy = new Recorder();
    const port = await proxy.listen('127.0.0.1');
    const nodeSettings = {
      DMS_S3_PROXY: `http://127.0.0.1:${port}`,
      DMS_S3_NO_PROXY: new URL(rig.s3?.endpoint ?? '').hostname,
      DMS_S3_MULTIPART_SIZE: '20',
    };
    fleet = await Fleet.start(rig, { nodeSettings });
    await fleet.acquainted();
    jobs = new Jobs(fleet);
  }, 60_000);
  afterAll(async () => {
    await fleet?.stop();
    proxy?.stop();
  });

  it('reaches a host that is excepted without it, and cuts uploads into parts of the size that is set', async () => {
    const target = await fleet.targets.s3('direct');
    expect((await jobs.mount(1, target)).body).toMatchObject({ status: 'success' });
    const [pid] = s3fsProcesses(target.bucket);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')).toContain('multipart_size=20');
    expect((await jobs.unmount(1, target)).body).toMatchObject({ unmounted: true });
    expect(proxy.heard).toBe('');
  });

  it('reaches other hosts through it, with the token of a session, which nobody else is told', async () => {
    const secretRef = await fleet.targets.secret('afar', {
      endpoint_url: 'http://s3.nowhere.example',
      aws_session_token: SESSION_TOKEN,
    });
    const { body } = await jobs.mount(1, { id: 'afar', secretRef });
    expect(body).toMatchObject({ status: 'error', error_code: 'MOUNT_FAILED' });
    expect(proxy.heard).toMatch(/^GET http:\/\/s3\.nowhere\.example\/afar\/ /m);
    expect(proxy.heard.toLowerCase()).toContain(`x-amz-security-token: ${SESSION_TOKEN}`);
    expect(JSON.stringify(body) + (await fleet.node.log())).not.toContain(SESSION_TOKEN);
  });
});
