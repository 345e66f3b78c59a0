import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer } from '../fleet/api';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { type Fault, FAULTS, KeyManagerFront, saying, type Stage } from '../fleet/key-manager-front';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { SECRET_FAMILIES } from '../fleet/secret-families';
import { type S3Target } from '../fleet/targets';
import { Rig, type SecretOptions, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Of this the node gives three quarters to the key manager. */
const MOUNT_TIMEOUT_S = 12;
const TOKEN_LIFETIME_S = 5;
const SOON = { timeoutMs: 30_000, intervalMs: 100 };
const NO_SECRET = /something else than a secret/;
const NO_JSON = /its payload is not a JSON object/;
const LATE = /did not answer in time/;
const BINARY = Buffer.from([0, 1, 2, 0xff, 0xfe, 0x7b, 0x22, 0]);

/** A node whose key manager is a front before the real Barbican: what is not broken on purpose is Barbican's own answer. */
describeOnRig('the key manager', (rig) => {
  let front: KeyManagerFront;
  let fleet: Fleet;
  let jobs: Jobs;
  let job = 0;

  beforeAll(async () => {
    front = await KeyManagerFront.start();
    const nodeSettings = { DMS_BARBICAN_URL: front.url, DMS_MOUNT_TIMEOUT: String(MOUNT_TIMEOUT_S) };
    fleet = await Fleet.start(rig, { nodeSettings });
    jobs = new Jobs(fleet);
    await fleet.acquainted();
  });
  afterAll(async () => {
    await fleet?.stop();
    await front?.close();
  });

  async function target(name: string, stage?: Stage, fault?: Fault): Promise<S3Target> {
    const made = await fleet.targets.s3(name);
    const broken = stage === undefined || fault === undefined ? undefined : { stage, fault };
    return { ...made, secretRef: front.refOf(made.secretRef, broken) };
  }
  async function mountWith(token: string, made: S3Target): Promise<Answer> {
    const request = await fleet.targets.request(fleet.node.host, (job += 1), made);
    return fleet.api.post('/api/v1/mount', { ...request, keystone_token: token });
  }
  const outcome = ({ status, body }: Answer): unknown => ({ status, code: body.error_code });

  /** No mount, process, directory or open row is left of a mount that failed. */
  async function expectNothingLeft(made: S3Target): Promise<void> {
    const path = join(fleet.node.base, made.id);
    expect(mountsBelow(path)).toEqual([]);
    expect(s3fsProcesses(made.bucket)).toEqual([]);
    expect(readdirSync(fleet.node.pidDirectory)).not.toContain(`${made.id}.pid`);
    expect((await jobs.target(made.id))?.state).toBe('ABSENT');
    expect(await jobs.operations(made.id)).toEqual([{ action: 'mount', status: 'error' }]);
    const bindings = await fleet.query<{ state: string }>(
      'SELECT state FROM backup_target_mount_ledger WHERE backup_target_id = ?',
      [made.id],
    );
    expect(bindings.filter(({ state }) => state !== 'released')).toEqual([]);
    await waitFor(() => !readdirSync(fleet.node.base).includes(made.id), {
      ...SOON,
      what: 'its directory to go',
    });
    // What removes the directory names it, too.
    await waitFor(() => processesNaming(path).length === 0, { ...SOON, what: 'all processes to go' });
  }

  it('lets a token of another project read nothing, and says so', async () => {
    const made = await target('foreign');
    const answer = await mountWith(await fleet.targets.cloud.token('stranger'), made);
    expect(outcome(answer)).toEqual({ status: 403, code: 'FORBIDDEN' });
    expect(answer.body.error_msg).toMatch(/Barbican does not let the owner of the token read the secret: ./);
    await expectNothingLeft(made);
  });

  it('refuses a token that is good for no project', async () => {
    const made = await target('unscoped');
    const answer = await mountWith(await fleet.targets.cloud.unscopedToken('owner'), made);
    expect(outcome(answer)).toEqual({ status: 502, code: 'SECRET_UNAVAILABLE' });
    await expectNothingLeft(made);
  });

  it('tells a revoked and an expired token from one that may not', async () => {
    const { cloud } = fleet.targets;
    const [revoked, made] = [await cloud.token('owner'), await target('revoked')];
    await cloud.revoke(revoked);
    const answer = await mountWith(revoked, made);
    expect(outcome(answer)).toEqual({ status: 401, code: 'AUTH_EXPIRED' });
    expect(answer.body.error_msg).toMatch(/expired or was revoked/);
    expect(JSON.stringify(answer.body)).not.toContain(revoked);
    await expectNothingLeft(made);

    const brief = await Rig.start({
      parts: ['openstack'],
      stopOnSignals: false,
      openstack: { keystone: { tokenLifetimeSeconds: TOKEN_LIFETIME_S } },
    });
    try {
      const token = await brief.cloud.token('owner');
      const ends = Date.now() + TOKEN_LIFETIME_S * 1_000;
      const secretRef = front.refOf(await brief.cloud.storeSecret(token, { bucket: made.bucket }));
      const expiring = { ...made, id: `${made.id}-late`, secretRef };
      await waitFor(() => Date.now() > ends + 1_000, { ...SOON, what: 'the end of the token' });
      expect(outcome(await mountWith(token, expiring))).toEqual({ status: 401, code: 'AUTH_EXPIRED' });
      await expectNothingLeft(expiring);
    } finally {
      await brief.stop();
    }
  }, 90_000);

  it('says that there is no such secret, or no more', async () => {
    const { cloud } = fleet.targets;
    const [deleted, never] = await Promise.all(['deleted', 'never'].map((name) => fleet.targets.s3(name)));
    await cloud.deleteSecret(await cloud.token('owner'), deleted.secretRef);
    const unknown = never.secretRef.replace(/[^/]+$/, randomUUID());
    for (const made of [deleted, { ...never, secretRef: unknown }]) {
      const asked = { ...made, secretRef: front.refOf(made.secretRef) };
      const answer = await jobs.mount((job += 1), asked);
      expect(outcome(answer)).toEqual({ status: 502, code: 'SECRET_UNAVAILABLE' });
      expect(answer.body.error_msg).toMatch(/Barbican has no such secret/);
      await expectNothingLeft(asked);
    }
  });

  it('reads every family of secrets, as text or as bytes, and names what one lacks', async () => {
    const { s3 } = rig;
    if (s3 === undefined) throw new Error('The rig has no object store');
    const owner = await fleet.targets.cloud.token('owner');
    const stored = async (name: string, payload: (bucket: string) => object, options: SecretOptions = {}) => {
      const made = await fleet.targets.s3(name);
      const secretRef = await fleet.targets.cloud.storeSecret(owner, { ...payload(made.bucket) }, options);
      return { ...made, secretRef: front.refOf(secretRef) };
    };
    const types = ['text/plain', 'application/octet-stream'] as const;
    await Promise.all(
      Object.entries(SECRET_FAMILIES).map(async ([name, payload], index) => {
        const contentType = types[index % types.length];
        const made = await stored(name, (bucket) => payload(bucket, s3), { contentType });
        const answer = await jobs.mount(100 + index, made);
        expect([name, answer.body.error_msg]).toEqual([name, null]);
        expect(mountsBelow(join(fleet.node.base, made.id))).toHaveLength(1);
        expect((await jobs.unmount(100 + index, made)).body).toMatchObject({ unmounted: true });
      }),
    );
    const lacking = await stored('lacking', (bucket) => {
      const { vault_s3_bucket: _, ...rest } = SECRET_FAMILIES.vault(bucket, s3);
      return rest;
    });
    const answer = await jobs.mount(200, lacking);
    expect(outcome(answer)).toEqual({ status: 502, code: 'SECRET_UNAVAILABLE' });
    expect(answer.body.error_msg).toBe('The secret cannot be used for an S3 target: "bucket" is missing.');
    await expectNothingLeft(lacking);
  }, 60_000);

  it('costs no more than its own target, in time, whatever it answers', async () => {
    const cases: (readonly [string, Stage, Fault, RegExp])[] = [
      ['silent', 'metadata', FAULTS.silent, LATE],
      ['silent-late', 'payload', FAULTS.silent, LATE],
      ['trickling', 'metadata', FAULTS.trickling, LATE],
      ['trickling-late', 'payload', FAULTS.trickling, LATE],
      ['page', 'metadata', saying('<html><body>Sign in</body></html>'), NO_SECRET],
      ['page-late', 'payload', saying('<html><body>Sign in</body></html>'), NO_JSON],
      ['truncated', 'metadata', saying('{"content_types": {"default": "text/pl'), NO_SECRET],
      ['truncated-late', 'payload', saying('{"bucket": "b", "aws_acc'), NO_JSON],
      ['shapeless', 'metadata', saying('{"content_types": ["text/plain"]}'), /has no payload/],
      ['list', 'metadata', saying('[]'), NO_SECRET],
      ['list-late', 'payload', saying('["bucket"]'), NO_JSON],
      ['binary', 'metadata', saying(BINARY), NO_SECRET],
      ['binary-late', 'payload', saying(BINARY), NO_JSON],
      ['huge', 'metadata', FAULTS.huge, /more than 64 KiB/],
      ['huge-late', 'payload', FAULTS.huge, /more than 64 KiB/],
      ['cut', 'metadata', FAULTS.cut, /closed the connection/],
      ['cut-late', 'payload', FAULTS.cut, /closed the connection/],
      ['broken', 'metadata', saying('<h1>Oops</h1>', 500), /Barbican answered 500/],
    ];
    const targets = await Promise.all(cases.map(([name, stage, fault]) => target(name, stage, fault)));
    const healthy = await target('healthy');
    let late = 0;
    const began = performance.now();
    const broken = targets.map(async (made, index) => {
      const answer = await jobs.mount(1_000 + index, made);
      if (cases[index][3] === LATE) late += 1;
      return answer;
    });
    // While they hang, the node works for others, and answers what it is asked.
    expect((await jobs.mount(1, healthy)).body).toMatchObject({ status: 'success' });
    expect((await jobs.unmount(1, healthy)).body).toMatchObject({ unmounted: true });
    expect(await fleet.node.ready()).toBe(true);
    expect(late).toBe(0);
    const answers = await Promise.all(broken);
    expect(performance.now() - began).toBeLessThan(3 * MOUNT_TIMEOUT_S * 1_000);
    for (const [index, [name, , , words]] of cases.entries()) {
      expect([name, outcome(answers[index])]).toEqual([name, { status: 502, code: 'SECRET_UNAVAILABLE' }]);
      expect([name, answers[index].body.error_msg]).toEqual([name, expect.stringMatching(words)]);
      await expectNothingLeft(targets[index]);
    }
    expect(readdirSync(join(fleet.node.runDirectory, 'fuse'))).toEqual([]);
  }, 120_000);

  it('is asked again when it is back', async () => {
    const made = await target('away');
    await front.close();
    const answer = await jobs.mount(1, made);
    expect(outcome(answer)).toEqual({ status: 502, code: 'SECRET_UNAVAILABLE' });
    expect(answer.body.error_msg).toBe('Barbican refuses the connection.');
    await expectNothingLeft(made);
    await front.open();
    expect((await jobs.mount(1, made)).body).toMatchObject({ status: 'success' });
    expect((await jobs.unmount(1, made)).body).toMatchObject({ unmounted: true });
  });
});

/** Ids of processes that have a text in their command line. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}
