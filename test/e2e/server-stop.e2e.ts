import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { KeyManagerFront } from '../fleet/key-manager-front';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const MOUNTS = 22;
const SOON = { timeoutMs: 60_000, intervalMs: 50 };
const ENDED_MS = 60_000;

/** A key manager that answers when the test lets it: mounts are in flight for as long as that. */
describeOnRig('SIGTERM of dms-server while mounts are in flight', (rig) => {
  let front: KeyManagerFront;
  let fleet: Fleet;
  let jobs: Jobs;
  const held: (() => void)[] = [];

  beforeAll(async () => {
    front = await KeyManagerFront.start();
    fleet = await Fleet.start(rig, { nodeSettings: { DMS_BARBICAN_URL: front.url } });
    jobs = new Jobs(fleet);
    await fleet.acquainted();
  });
  afterAll(async () => {
    await fleet?.stop();
    await front?.close();
  });

  /** A target whose secret is asked for once before the key manager goes on; afterwards it is answered at once. */
  async function slowTarget(name: string): Promise<S3Target> {
    const made = await fleet.targets.s3(name);
    let isFirst = true;
    const secretRef = front.refOf(made.secretRef, {
      stage: 'metadata',
      fault: (request, response) => {
        const answer = (): void => front.passOn(request, response);
        if (!isFirst) return answer();
        isFirst = false;
        held.push(answer);
      },
    });
    return { ...made, secretRef };
  }

  it('lets running mounts end as they would have, and no Idempotency-Key is dead afterwards', async () => {
    const targets = await Promise.all(
      Array.from({ length: MOUNTS }, (_, index) => slowTarget(`stopped-${index}`)),
    );
    const ask = async (index: number): Promise<{ status: number; body: Record<string, unknown> }> => {
      const request = await fleet.targets.request(fleet.node.host, index + 1, targets[index]);
      return fleet.api.post('/api/v1/mount', request, { 'Idempotency-Key': `stopped-${index}` });
    };
    const first = targets.map((_, index) => ask(index));
    await waitFor(() => held.length > 0, { ...SOON, what: 'mounts to wait for the key manager' });
    fleet.node.signal('SIGTERM');
    await waitFor(async () => !(await fleet.node.ready().catch(() => false)), {
      ...SOON,
      what: 'the node to stop',
    });
    const letGo = setInterval(() => {
      for (const answer of held.splice(0)) answer();
    }, 20);
    try {
      const answers = await Promise.all(first);
      await fleet.node.ended(ENDED_MS);
      for (const { status, body } of answers) {
        // What was begun is mounted; what had not come to the node yet can be asked for again.
        expect([200, 503, 504]).toContain(status);
        expect(String(body.error_msg)).not.toMatch(/UND_ERR|Barbican/);
      }
      expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
      await fleet.node.start();
      const repeats = await Promise.all(targets.map((_, index) => ask(index)));
      expect(repeats.map(({ status }) => status)).toEqual(targets.map(() => 200));
      expect(mountsBelow(fleet.node.base)).toHaveLength(MOUNTS);
      const ends = await Promise.all(targets.map((target, index) => jobs.unmount(index + 1, target)));
      expect(ends.map(({ body }) => body.unmounted)).toEqual(targets.map(() => true));
    } finally {
      clearInterval(letGo);
    }
  }, 240_000);

  it('says that it stopped, and nothing of the key manager, where a mount outlasts the grace of the stop', async () => {
    const target = await slowTarget('outlasting');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const key = { 'Idempotency-Key': 'outlasting' };
    const first = fleet.api.post('/api/v1/mount', request, key);
    await waitFor(() => held.length === 1, { ...SOON, what: 'the mount to wait for the key manager' });
    fleet.node.signal('SIGTERM');
    await fleet.node.ended(ENDED_MS);
    held.length = 0;
    await fleet.node.start();
    const { status, body } = await first;
    expect([200, 503, 504]).toContain(status);
    expect(String(body.error_msg)).not.toMatch(/UND_ERR|Barbican/);
    expect((await fleet.api.post('/api/v1/mount', request, key)).body).toMatchObject({ status: 'success' });
    expect((await jobs.unmount(1, target)).body).toMatchObject({ unmounted: true });
  }, 240_000);
});
