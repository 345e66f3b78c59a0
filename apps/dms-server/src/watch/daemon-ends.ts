import { type FSWatcher, watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { recordsIn } from '../processes/fuse-record';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';

const AGAIN_MS = 10_000;

/**
 * Tells at once that a FUSE daemon has ended: its supervisor touches the directory of all records then, which inotify
 * reports. If that cannot be had (no inotify instance is left, an older supervisor, one that was killed, too), nothing is
 * told, and whoever listens has to look by itself.
 */
@Injectable()
export class DaemonEnds {
  readonly #log = new Logger(DaemonEnds.name);
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(@Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'runDir'>) {}

  /** Calls `changed` after each end; also after other changes of the directory. Resolves when it listens. */
  async begin(changed: () => void): Promise<void> {
    const directory = recordsIn(this.settings.runDir);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      if (this.#ended) return;
      this.#watcher = watch(directory, { persistent: false }, changed);
      this.#watcher.once('error', (error) => this.#again(changed, error));
    } catch (error) {
      this.#again(changed, error);
    }
  }

  end(): void {
    this.#ended = true;
    this.#watcher?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #again(changed: () => void, error: unknown): void {
    this.#log.warn({ msg: 'Ends of FUSE daemons are noticed within a second only', err: error });
    this.#watcher?.close();
    if (!this.#ended) this.#timer = setTimeout(() => void this.begin(changed), AGAIN_MS).unref();
  }
}
