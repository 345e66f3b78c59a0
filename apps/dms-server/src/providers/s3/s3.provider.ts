import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, quoted, type Secret } from '@app/contracts';
import { happened, measured } from '@app/platform';
import { atMost } from '../../commands/deadline';
import { type MountedAs } from '../../fence/target-record';
import { FUSE_CONNECTIONS, type FuseConnections } from '../../kernel/fuse-connections.interface';
import { type MountEntry } from '../../kernel/mount-table.interface';
import { printable } from '../../processes/daemon-log';
import { type DaemonExit } from '../../processes/fuse-daemon';
import { FuseProcessesService } from '../../processes/fuse-processes.service';
import { allows, type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { LayerUnmounter } from '../layer-unmounter';
import {
  type Deadline,
  type MountPlan,
  type TargetProvider,
  type UnmountPlan,
  type UnmountResult,
} from '../target-provider.interface';
import { KEY_MANAGER, type KeyManager } from './key-manager.interface';
import { fuseProgramName } from './fuse-program';
import { parseS3Credentials, requireCertificateBelow, type S3Credentials } from './s3-credentials';
import { isFuse, S3Daemon } from './s3-daemon';

/** How long the end of a daemon is waited for before the mount table is looked at again. */
const ROUND_MS = 1_000;

/** Mounts buckets with a FUSE program, whose credentials it reads from the key manager at each mount. */
@Injectable()
export class S3Provider implements TargetProvider {
  readonly type = 's3';
  readonly #log = new Logger('S3');

  constructor(
    @Inject(KEY_MANAGER) private readonly keyManager: KeyManager,
    private readonly daemon: S3Daemon,
    private readonly processes: FuseProcessesService,
    private readonly unmounter: LayerUnmounter,
    @Inject(FUSE_CONNECTIONS) private readonly connections: Pick<FuseConnections, 'isKept'>,
    @Inject(SETTINGS) private readonly settings: ServerSettings,
  ) {}

  async mount(plan: MountPlan, makeMountpoint: () => Promise<void>, deadline: Deadline): Promise<MountEntry> {
    const { keystone_token: token } = plan.request;
    if (!token) {
      throw DmsError.validation([
        { field: 'keystone_token', problem: 'is required to read the secret of an s3 target' },
      ]);
    }
    const daemon = await this.#daemonName();
    // Nothing is waited for between here and who takes what is rejected: Node.js would end the process.
    const reading = measured('secret', { target_type: this.type }, () =>
      this.keyManager.readSecret(plan.source, token, deadline),
    ).then((payload) => this.#credentials(payload));
    const ready = Promise.all([reading, makeMountpoint()]).then(([credentials]) => credentials);
    this.#log.log(`Spawning ${daemon} for target ${plan.targetId}`);
    const layer = await this.daemon.start(plan, ready, deadline);
    happened({ what: 'fuse_process_started', targetId: plan.targetId });
    this.#log.log(`✓ ${daemon} spawned successfully for target ${plan.targetId}`);
    this.#log.log(`  PID: ${await this.daemonPid(plan.targetId)}`);
    this.#log.log(`  Mount path: ${plan.mountPath}`);
    this.#log.log(`  PID file: ${this.processes.pidFile(plan.targetId)}`);
    this.#log.log(`  Total tracked processes: ${await this.processes.count()}`);
    return layer;
  }

  #credentials(payload: Secret): S3Credentials {
    const credentials = parseS3Credentials(payload);
    requireCertificateBelow(this.settings.s3CertificateDirs, credentials);
    return credentials;
  }

  async unmount(plan: UnmountPlan, deadline: Deadline): Promise<UnmountResult> {
    const { targetId, mountedAs, hung = false, left = false, flushFailed } = plan;
    await this.#logDaemon(targetId);
    const { mountPath } = mountedAs;
    const busyEnd = performance.now() + this.settings.busyTimeoutMs;
    const patience = hung || left ? atMost(deadline, this.settings.busyTimeoutMs) : deadline;
    const layer = { targetId, mountPath, isOurs: (entry: MountEntry) => this.owns(entry, mountedAs) };
    let exit: DaemonExit | null;
    do {
      // Again in each round: a daemon whose start was cut short may mount only now.
      const result = await this.unmounter.takeOut(layer, deadline);
      if (result.kind !== 'out') return result;
      exit = await this.processes.waitForExit(
        targetId,
        mountPath,
        Math.min(patience.remainingMs(), ROUND_MS),
      );
      const isLong = exit === null && performance.now() >= busyEnd;
      // A daemon serves its file system as long as it is mounted anywhere.
      if (isLong && (await plan.livesElsewhere())) return { kind: 'busy' };
    } while (exit === null && patience.remainingMs() > 0);
    if (exit === null) {
      const isUseless = hung || (left && !(await this.#isKept(plan)));
      const signals = this.#signalsAllowed(isUseless);
      const pid = await this.daemonPid(targetId);
      const cure = `to end it with all that it has not stored: dms-server processes --kill ${pid} --force`;
      if (signals.length === 0)
        return { kind: 'failed', reason: `the FUSE process ${pid} has not ended yet; ${cure}` };
      if (isUseless) this.#log.warn(`Target ${targetId}: the FUSE process ${pid} serves nobody and is ended`);
      if (!(await this.daemon.end(targetId, mountPath, signals))) {
        const how = signals.join(' and ');
        return { kind: 'failed', reason: `the FUSE process ${pid} does not end by ${how}; ${cure}` };
      }
    }
    const problem = flushProblem(exit);
    if (problem !== null) await flushFailed?.(problem);
    await this.processes.forget(targetId);
    this.#log.log(`✓ ${await this.#daemonName()} process killed for target ${targetId}`);
    this.#log.log(`✓ PID file deleted: ${this.processes.pidFile(targetId)}`);
    // A daemon that ends by itself, and well, has seen the last of its mounts go.
    return { kind: 'gone', flushVerified: problem === null, detail: problem, everywhere: problem === null };
  }

  /** The kernel keeps its connection, also for files that are open after a lazy unmount. */
  async #isKept({ targetId, mountedAs: { device } }: UnmountPlan): Promise<boolean> {
    return device === null || (await this.connections.isKept(targetId, device));
  }

  /** What a daemon is given that does not end is lost with it, so somebody has to allow that, unless nobody counts on it. */
  #signalsAllowed(isUseless: boolean): NodeJS.Signals[] {
    if (isUseless) return ['SIGTERM', 'SIGKILL'];
    const signals = { term: 'SIGTERM', kill: 'SIGKILL' } as const;
    return (['term', 'kill'] as const)
      .filter((step) => allows(this.settings, step))
      .map((step) => signals[step]);
  }

  async clear(targetId: string, mountPath: string): Promise<string | null> {
    const daemon = await this.processes.find(targetId);
    const isUnread = daemon?.knownBy === 'record' && !daemon.alive;
    const exit = isUnread ? await this.processes.waitForExit(targetId, mountPath, 0) : null;
    await this.processes.forget(targetId);
    return exit === null ? null : flushProblem(exit);
  }

  async daemonPid(targetId: string): Promise<number | null> {
    const daemon = await this.processes.find(targetId);
    return daemon?.alive && daemon.knownBy === 'record' ? daemon.pid : null;
  }

  owns(layer: MountEntry, mountedAs: MountedAs): boolean {
    return (
      layer.mountPath === mountedAs.mountPath &&
      isFuse(layer) &&
      (mountedAs.mntId === null || layer.mntId === mountedAs.mntId) &&
      (mountedAs.device === null || layer.device === mountedAs.device)
    );
  }

  #daemonName(): Promise<string> {
    return fuseProgramName(this.settings.s3VaultFuseBinary);
  }

  async #logDaemon(targetId: string): Promise<void> {
    const pid = await this.daemonPid(targetId);
    const uptime = await this.processes.uptimeSeconds(targetId);
    if (pid === null || uptime === null) return;
    this.#log.log(`Killing ${await this.#daemonName()} process for target ${targetId}`);
    this.#log.log(`  PID: ${pid}`);
    this.#log.log(`  Uptime: ${printedDuration(uptime)}`);
  }
}

/** What keeps the flush from being certain, null where nothing does. */
function flushProblem(exit: DaemonExit | null): string | null {
  if (exit === null) return 'the FUSE process did not end by itself in time and was killed';
  if (exit.cleanFlush === true) return null;
  if (exit.errorLines.length > 0)
    return `the FUSE process reported: ${quoted(printable(exit.errorLines.slice(-3)))}`;
  if (exit.status === null) return 'how the FUSE process ended is not known';
  return exit.status === 0
    ? 'the FUSE process said more than was kept'
    : `the FUSE process ended with status ${exit.status}`;
}

/** Hours, minutes and seconds as `1:23:45`. */
function printedDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const twoDigits = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${twoDigits(Math.floor(whole / 60) % 60)}:${twoDigits(whole % 60)}`;
}
