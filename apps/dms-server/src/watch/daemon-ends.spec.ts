import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { FuseProcessesService } from '../processes/fuse-processes.service';
import { SessionLauncher } from '../processes/supervisor-launcher.adapter';
import { DaemonEnds } from './daemon-ends';

Logger.overrideLogger(false);

/** A round of the watch comes every second: what is told at once is told well before that. */
const AT_ONCE_MS = 500;
const ID = 't1';

describe('the end of a FUSE daemon', () => {
  let runDir: string;
  let ends: DaemonEnds;
  let processes: FuseProcessesService;

  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'ends-'));
    ends = new DaemonEnds({ runDir });
    processes = new FuseProcessesService({ runDir, pidDir: join(runDir, 's3') }, new SessionLauncher());
  });
  afterEach(async () => {
    ends.end();
    await processes.terminate(ID, '/m', 'SIGKILL');
    await processes.waitForExit(ID, '/m', 5_000);
    await rm(runDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });

  it.each([
    ['by SIGKILL', 'SIGKILL' as const],
    ['by itself, or by SIGTERM', 'SIGTERM' as const],
  ])('%s is told at once', async (_, signal) => {
    const pid = await processes.spawn({
      targetId: ID,
      mountPath: '/m',
      program: 'sleep',
      args: ['60'],
      environment: Promise.resolve({ vault_data_directory: '/m' }),
    });
    let told: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (told = resolve));
    await ends.begin(() => {
      // What is told is to be true already: nobody looks again for it.
      void processes.hasExited(ID, '/m').then((hasExited) => hasExited && told());
    });
    const killedAt = performance.now();
    process.kill(pid, signal);
    await first;
    expect(performance.now() - killedAt).toBeLessThan(3 * AT_ONCE_MS);
  });

  it('is watched for again where the directory cannot be watched now', async () => {
    const broken = new DaemonEnds({ runDir: __filename });
    await expect(broken.begin(() => undefined)).resolves.toBeUndefined();
    broken.end();
  });
});
