import { type MountProbe, type ProbeResult } from '../kernel/mount-probe.interface';
import { type MountEntry, type MountTable, type Placeholder } from '../kernel/mount-table.interface';
import { type MountpointGuard } from '../kernel/mountpoint-guard.interface';
import { type ChildCommand, type ChildOutcome, type ChildRunner } from '../processes/child-runner.interface';

/** A mount table that tests write to, with the probe, the guard and the children that belong to it. */
export class FakeKernel implements MountTable, MountProbe, MountpointGuard, ChildRunner {
  /** What was done, in order. */
  readonly log: string[] = [];
  readonly probes = new Map<string, ProbeResult>();
  readonly left = new Map<string, number>();
  layers: MountEntry[] = [];
  childOutcome: ChildOutcome = { kind: 'exited', code: 0, signal: null, output: '' };
  #nextId = 100;

  mountLayer(mountPath: string, source: string, fields: Partial<MountEntry> = {}): MountEntry {
    const mntId = this.#nextId;
    this.#nextId += 1;
    const layer: MountEntry = {
      mntId,
      parentId: 1,
      device: `0:${mntId}`,
      root: '/',
      mountPath,
      deleted: false,
      options: ['rw'],
      fstype: 'nfs4',
      source,
      superOptions: ['rw'],
      ...fields,
    };
    this.layers.push(layer);
    return layer;
  }

  unmountAt(mountPath: string): void {
    this.layers = this.layers.filter((layer) => layer.mountPath !== mountPath);
  }

  read(): Promise<MountEntry[]> {
    return Promise.resolve([...this.layers]);
  }

  layersAt(path: string): Promise<MountEntry[]> {
    return Promise.resolve(this.layers.filter((layer) => layer.mountPath === path));
  }

  placeholderAt(): Promise<Placeholder> {
    return Promise.resolve('none');
  }

  whileMaking<T>(_paths: readonly string[], work: () => Promise<T>): Promise<T> {
    return work();
  }

  probe(targetId: string, mountPath: string): Promise<ProbeResult> {
    this.log.push(`probe ${targetId}`);
    return Promise.resolve(this.probes.get(mountPath) ?? { kind: 'answers' });
  }

  async keepOut<T>(targetId: string, work: () => Promise<T>): Promise<T> {
    this.log.push(`keep out of ${targetId}`);
    return await work();
  }

  prepare(path: string): Promise<void> {
    this.log.push(`prepare ${path}`);
    return Promise.resolve();
  }

  remove(path: string): Promise<void> {
    this.log.push(`remove ${path}`);
    return Promise.resolve();
  }

  removeLater(path: string): void {
    this.log.push(`remove later ${path}`);
  }

  made(): readonly string[] {
    return [];
  }

  run(command: ChildCommand): Promise<ChildOutcome> {
    this.log.push(`run ${command.program}`);
    return Promise.resolve(this.childOutcome);
  }

  childrenLeft(targetId: string): Promise<number> {
    return Promise.resolve(this.left.get(targetId) ?? 0);
  }

  endLeftOver(): Promise<void> {
    this.left.clear();
    return Promise.resolve();
  }
}
