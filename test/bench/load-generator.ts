import { Pool } from 'undici';
import { type Fleet } from '../fleet/fleet';

const TIMEOUT_MS = 60_000;

/** What a load of requests is sent with: as little work of its own as can be, since it shares the machine. */
export class LoadGenerator {
  readonly #pools: readonly Pool[];

  /** @param connections to each dms-client of the fleet; they are kept open */
  constructor(fleet: Fleet, connections: number) {
    const options = { connections, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS };
    this.#pools = fleet.clients.map(({ url }) => new Pool(url, options));
  }

  /**
   * Posts to the clients in turn.
   *
   * @throws Error with the answer's text where it is not 200
   */
  async post(turn: number, path: string, body: string): Promise<void> {
    const pool = this.#pools[turn % this.#pools.length];
    const headers = { 'content-type': 'application/json' };
    const response = await pool.request({ method: 'POST', path, body, headers });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`${path} was answered ${response.statusCode}: ${text}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }
}
