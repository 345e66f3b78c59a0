import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, type Writable } from 'node:stream';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { type HostLock } from './host-lock.interface';

type Holder = ChildProcessByStdio<Writable, Readable, null>;

const FILE = 'dms_mount_unmount.lock';
/** flock(1) ends with it when it has waited in vain. */
const NOT_GOT = 1;

/**
 * The lock file of the Python system: flock(2) on `DMS_LOCK_DIR/dms_mount_unmount.lock`, for all targets at once, held
 * from the decision to the end of the command. It protects from clients on the same host only.
 *
 * flock(1) holds it for as long as its standard input is open: so it is given back also when this process dies.
 */
@Injectable()
export class FlockAdapter implements HostLock {
  readonly #log = new Logger(FlockAdapter.name);

  constructor(@Inject(SETTINGS) private readonly settings: ClientSettings) {}

  async whileHeld<T>(work: () => Promise<T>): Promise<T> {
    if (!this.settings.hostLock) return work();
    const holder = await this.#acquire();
    try {
      return await work();
    } finally {
      holder.stdin.end();
    }
  }

  async #acquire(): Promise<Holder> {
    const { lockDir, lockTimeoutMs } = this.settings;
    await mkdir(lockDir, { recursive: true, mode: 0o755 });
    const began = performance.now();
    const command = [
      '--wait',
      String(lockTimeoutMs / 1000),
      join(lockDir, FILE),
      'sh',
      '-c',
      'echo held; exec cat',
    ];
    const holder = spawn('flock', command, { stdio: ['pipe', 'pipe', 'ignore'] });
    holder.stdin.on('error', () => undefined); // it has ended already: then there is nothing to give back
    const got = once(holder.stdout, 'data').then(() => true);
    const ended = once(holder, 'exit').then(([code]) => code as number | null);
    const outcome = await Promise.race([got, ended]);
    const seconds = Math.round((performance.now() - began) / 1000);
    if (outcome === true) {
      this.#log.debug({ msg: 'Successfully acquired lock for mount_unmount', waited_seconds: seconds });
      return holder;
    }
    if (outcome !== NOT_GOT) throw new Error(`flock(1) ended with status ${String(outcome)}`);
    throw new DmsError(
      'LOCK_TIMEOUT',
      `Could not acquire lock after ${seconds} seconds: ${join(lockDir, FILE)} is held`,
    );
  }
}
