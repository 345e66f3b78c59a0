import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { cleanEnvironment, runCommand } from '../rig';
import { describeOnRig } from './on-rig';

/** As the Python client does it; holds the lock until its standard input ends. */
const HOLD =
  'import fcntl,sys; f=open(sys.argv[1],"w"); fcntl.flock(f,fcntl.LOCK_EX); print("held",flush=True); sys.stdin.read()';
/** Exit status 0 if the lock is free. */
const TRY = 'import fcntl,sys; f=open(sys.argv[1],"a"); fcntl.flock(f,fcntl.LOCK_EX|fcntl.LOCK_NB)';

describeOnRig("the Python system's lock file", (rig) => {
  let fleet: Fleet;
  let lockFile: string;
  let holder: ChildProcess | null = null;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { clients: 0 });
    const directory = join(fleet.directory, 'lock');
    lockFile = join(directory, 'dms_mount_unmount.lock');
    const settings = { DMS_HOST_LOCK: 'true', DMS_LOCK_DIR: directory, DMS_LOCK_TIMEOUT: '3' };
    await fleet.addClient(settings).start();
  });
  afterEach(() => {
    holder?.stdin?.end();
    holder = null;
  });
  afterAll(() => fleet?.stop());

  const hold = async (): Promise<ChildProcess> => {
    const python = spawn('/usr/bin/python3', ['-c', HOLD, lockFile], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: cleanEnvironment(),
    });
    holder = python;
    await once(python.stdout, 'data');
    return python;
  };
  const isFree = async (): Promise<boolean> => {
    const result = await runCommand('/usr/bin/python3', ['-c', TRY, lockFile], {
      timeoutMs: 10_000,
      expected: [1],
    });
    return result.status === 0;
  };

  it('is waited for while a Python client holds it, and given back afterwards', async () => {
    const target = await fleet.targets.s3('lock-file');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    await fleet.api.post('/api/v1/mount', request);
    await fleet.api.post('/api/v1/unmount', request);
    expect(await isFree()).toBe(true);

    const python = await hold();
    let answered = false;
    const mounting = fleet.api.post('/api/v1/mount', request).finally(() => (answered = true));
    expect(await isFree()).toBe(false);
    expect(answered).toBe(false);
    python.stdin?.end();
    expect((await mounting).body).toMatchObject({ status: 'success' });
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ status: 'success' });
  });

  it('ends the wait with LOCK_TIMEOUT, and nothing is begun', async () => {
    const target = await fleet.targets.s3('lock-timeout');
    await hold();
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const { status, body } = await fleet.api.post('/api/v1/mount', request);
    expect({ status, code: body.error_code }).toEqual({ status: 503, code: 'LOCK_TIMEOUT' });
    expect(
      await fleet.query('SELECT id FROM mount_operations WHERE backup_target_id = ?', [target.id]),
    ).toEqual([]);
  });
});
