import { Injectable } from '@nestjs/common';

/**
 * Mounts whose FUSE daemon was found to hang, by the watch: they are broken, although nothing in the mount table or the
 * process table says so, and nobody is to wait for an answer of them. A mount is known by the pid of its daemon: the
 * kernel gives the id of a mount away again as soon as it is gone.
 */
@Injectable()
export class HungMounts {
  readonly #daemons = new Map<string, number>();

  has(targetId: string, daemonPid: number | null): boolean {
    return daemonPid !== null && this.#daemons.get(targetId) === daemonPid;
  }

  add(targetId: string, daemonPid: number): void {
    this.#daemons.set(targetId, daemonPid);
  }

  get count(): number {
    return this.#daemons.size;
  }

  delete(targetId: string): void {
    this.#daemons.delete(targetId);
  }
}
