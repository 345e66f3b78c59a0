import { type ChildProcess } from 'node:child_process';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ProcessStarts } from '../processes/process-starts';
import { type MountTableChanges } from './mount-table-changes.interface';

const AGAIN_MS = 10_000;
/** A line for each change; it is killed when its parent has ended, however. */
export const POLLER = ['setpriv', '--pdeathsig', 'KILL', 'findmnt', '--poll', '-n', '-o', 'ACTION'] as const;

/**
 * One findmnt(8) for the life of this program, which sleeps in poll(2) on the mount table: Node has no way to do so.
 * The kernel ends it with this program, however that ends. Where it cannot be had, nothing is told, and whoever listens
 * has to look by itself.
 */
@Injectable()
export class FindmntChanges implements MountTableChanges {
  readonly #log = new Logger('MountTable');
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(@Inject(ProcessStarts) private readonly starts = new ProcessStarts()) {}

  begin(changed: () => void): void {
    void this.#begin(changed).catch((error: unknown) => {
      this.#log.debug({ msg: 'findmnt cannot be started', err: error });
      this.#again(changed);
    });
  }

  end(): void {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }

  async #begin(changed: () => void): Promise<void> {
    if (this.#ended) return;
    const child = await this.starts.start(POLLER[0], POLLER.slice(1), {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    child.stdout?.on('data', changed);
    child.once('close', () => {
      this.#child = null;
      this.#again(changed);
    });
    child.unref();
    // It may have been told to end while it was started.
    if (this.#isEnded()) child.kill('SIGKILL');
  }

  #isEnded(): boolean {
    return this.#ended;
  }

  #again(changed: () => void): void {
    if (!this.#ended) this.#timer = setTimeout(() => this.begin(changed), AGAIN_MS).unref();
  }
}
