import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { FenceService } from '../fence/fence.service';
import { isSameFileSystem, seenAgainAs, seenAs, type TargetRecord } from '../fence/target-record';
import { accessProblemOf, baseAccessOf } from '../kernel/base-access';
import { prepareBase } from '../kernel/guarded-path';
import { MOUNTPOINT_GUARD, type MountpointGuard } from '../kernel/mountpoint-guard.interface';
import { MOUNT_PROBE, type MountProbe } from '../kernel/mount-probe.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../kernel/mount-table.interface';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { AbsenceService } from './absence.service';
import { isGone, ObservationService, type Survey } from './observation.service';

const PERMISSIONS = 0o777;

/** What is done before the first hello: the node finds again what an earlier dms-server left. */
@Injectable()
export class AdoptionService {
  readonly #logger = new Logger(AdoptionService.name);

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(MOUNT_PROBE) private readonly probe: MountProbe,
    @Inject(MOUNTPOINT_GUARD) private readonly guard: MountpointGuard,
    private readonly observations: ObservationService,
    private readonly fences: FenceService,
    private readonly absence: AbsenceService,
  ) {}

  /** Ends left-over children, then takes up the mounts that stand and forgets those that are gone. */
  async adopt(): Promise<void> {
    const bases = await this.#usableBases();
    await this.children.endLeftOver();
    let adopted = 0;
    for (const record of this.fences.records()) if (await this.#adopt(record)) adopted += 1;
    for (const base of bases) await this.#sweep(base);
    await this.#sweepMade();
    this.#logger.log({ msg: `${adopted} mount(s) adopted`, incarnation: this.fences.incarnation });
  }

  /** Below the others nothing can be mounted, which each mount says, too: what stands there is taken up all the same. */
  async #usableBases(): Promise<string[]> {
    const usable: string[] = [];
    for (const base of this.settings.mountBases) {
      try {
        await this.#prepareBase(base);
        usable.push(base);
      } catch (error) {
        if (!(error instanceof DmsError)) throw error;
        this.#logger.warn(`Nothing can be mounted below the base ${base}: ${error.message}`);
      }
    }
    return usable;
  }

  /** Tells of a base that was open before, because jobs may lose access, and of one that stays open. */
  async #prepareBase(base: string): Promise<void> {
    const access = baseAccessOf(this.settings);
    const problemNow = (): ReturnType<typeof accessProblemOf> => accessProblemOf(base, access);
    const before = await problemNow().catch(() => null); // a missing one is made
    await prepareBase(base, access);
    const left = await problemNow();
    if (left !== null) this.#logger.warn(`${left.problem}; to change that: ${left.remedy}`);
    else if (before !== null)
      this.#logger.warn(`${before.problem}: dms-server has set it to DMS_MOUNT_GROUP and DMS_MOUNT_MODE`);
  }

  /** Does not look into mounts that are served: a hung one must not hold up the start. */
  async #adopt({ targetId, mountedAs }: TargetRecord): Promise<boolean> {
    if (mountedAs === null) return false;
    const survey = await this.observations.survey(targetId);
    if (isGone(survey)) {
      await this.absence.note(targetId);
      return false;
    }
    const top = survey.layers.at(-1);
    if (top === undefined || !(survey.ours || (await this.#isOursElsewhere(survey, top)))) return false;
    const isSame = isSameFileSystem(mountedAs, top);
    this.fences.note(targetId, { mountedAs: isSame ? seenAgainAs(mountedAs, top) : seenAs(mountedAs, top) });
    return true;
  }

  /**
   * The same mount has another id in another mount namespace, that of a new container. While the daemon lives that
   * serves it, nothing else can have its device. A layer without its daemon is what a container left that ended with
   * it; somebody else's would answer.
   */
  async #isOursElsewhere(
    { record, layers, expected, daemonPid }: Survey,
    layer: MountEntry,
  ): Promise<boolean> {
    if (layers.length > 1 || expected === null || !isSameFileSystem(expected, layer)) return false;
    if (daemonPid !== null) return true;
    const { targetId } = record;
    try {
      const answer = await this.probe.probe(targetId, layer.mountPath, this.settings.probeTimeoutMs);
      return answer.kind === 'dead';
    } catch (error) {
      this.#logger.warn({ msg: 'A mount without its daemon could not be looked into', targetId, err: error });
      return false;
    }
  }

  /** Mountpoints deeper below a base, and what was made above them. */
  async #sweepMade(): Promise<void> {
    const mounted = (await this.table.read()).map(({ mountPath }) => mountPath);
    const remembered = this.fences.records().map(({ mountedAs }) => mountedAs?.mountPath ?? '');
    const isUsed = (path: string): boolean =>
      [...mounted, ...remembered].some((used) => used === path || used.startsWith(`${path}/`));
    const left = this.guard.made().filter((path) => !isUsed(path));
    // What lies above others goes with the last of them.
    const deepest = left.filter((path) => !left.some((other) => other.startsWith(`${path}/`)));
    for (const path of deepest) this.guard.removeLater(path);
  }

  /**
   * Guarded directories whose grace time an earlier server, or a reboot, cut short: they go after theirs from now. A
   * directory of mode 0 that belongs to root is one of ours; the guard leaves it if it is not empty. What is mounted
   * on is not looked at.
   */
  async #sweep(base: string): Promise<void> {
    const mounted = new Set((await this.table.read()).map(({ mountPath }) => mountPath));
    const remembered = new Set(this.fences.records().map(({ mountedAs }) => mountedAs?.mountPath));
    for (const name of await readdir(base)) {
      const path = join(base, name);
      if (mounted.has(path) || remembered.has(path)) continue;
      const found = await lstat(path).catch(() => null);
      // It may have been removed meanwhile.
      if (found === null) continue;
      if (found.isDirectory() && found.uid === 0 && (found.mode & PERMISSIONS) === 0)
        this.guard.removeLater(path);
    }
  }
}
