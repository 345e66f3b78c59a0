import { Injectable, Logger } from '@nestjs/common';
import { RecentMap } from '@app/platform';

/** Servers that are remembered: one that was forgotten is told once more. */
const MAX_SERVERS = 1_000;

/** Says once that an NFS server answers too slowly for a question to end in its time, and once that it does not any more. */
@Injectable()
export class SlowServers {
  readonly #logger = new Logger(SlowServers.name);
  readonly #slow = new RecentMap<string, true>(MAX_SERVERS);

  /** @param limit the setting that ended the question, and its value */
  noteSlow(server: string, mountPath: string, limit: string): void {
    if (this.#slow.has(server)) return;
    this.#slow.set(server, true);
    const msg = `An NFS server answers slowly: a question to a mount was not through within ${limit}`;
    this.#logger.warn({ msg, server, mountPath });
  }

  noteTimely(server: string): void {
    if (this.#slow.delete(server)) this.#logger.log({ msg: 'An NFS server answers in time again', server });
  }
}
