import { Fleet } from '../fleet/fleet';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** At once: many times what is carried out in a second. */
const JOBS = 1_500;
const FIRST_JOB = 1_000_000;

describeOnRig('more requests than can be carried out', (rig) => {
  let fleet: Fleet;
  let target: S3Target;
  let template: Record<string, unknown>;
  const body = (jobid: number): Record<string, unknown> => ({ ...template, job: { jobid } });
  const held = async (): Promise<number> => {
    const sql = `SELECT COUNT(*) AS count FROM backup_target_mount_ledger WHERE state = 'held' AND backup_target_id = ?`;
    const [{ count }] = await fleet.query<{ count: unknown }>(sql, [target.id]);
    return Number(count);
  };

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    await fleet.acquainted();
    target = await fleet.targets.s3('wanted');
    template = await fleet.targets.request(fleet.node.host, FIRST_JOB, target);
    expect((await fleet.api.post('/api/v1/mount', body(FIRST_JOB))).status).toBe(200);
  });
  afterAll(() => fleet?.stop());

  it.each(['mount', 'unmount'])(
    'each %s is carried out, or refused at once and nothing of it done',
    async (action) => {
      const before = await held();
      const answers = await Promise.all(
        Array.from({ length: JOBS }, (_, job) => fleet.api.post(`/api/v1/${action}`, body(job + 1))),
      );
      const accepted = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status !== 200);
      expect(accepted.length).toBeGreaterThan(0);
      expect(refused.length).toBeGreaterThan(0);
      for (const { status, headers, body } of refused) {
        expect({ status, code: body.error_code, after: headers.get('retry-after') }).toEqual({
          status: 503,
          code: 'OVERLOADED',
          after: '1',
        });
      }
      if (action === 'mount') expect(await held()).toBe(before + accepted.length);
      const operations = await fleet.query<{ count: unknown }>(
        'SELECT COUNT(*) AS count FROM mount_operations WHERE action = ? AND jobid <= ?',
        [action, JOBS],
      );
      expect(Number(operations[0].count)).toBe(accepted.length);
    },
  );

  it('and afterwards a crowd is carried out as before', async () => {
    const crowd = async (): Promise<boolean> => {
      const jobs = Array.from({ length: 100 }, (_, job) => body(job + 1));
      const answers = await Promise.all(jobs.map((job) => fleet.api.post('/api/v1/unmount', job)));
      return answers.every(({ status }) => status === 200);
    };
    await waitFor(crowd, { timeoutMs: 10_000, what: 'the end of the overload', intervalMs: 1_000 });
  });
});
