import { setTimeout as sleep } from 'node:timers/promises';
import { type Api } from '../fleet/api';
import { type ClientProcess } from '../fleet/client-process';
import { Fleet } from '../fleet/fleet';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Requests with wrong tokens: more than dms-client has checked for one address, also on a busy machine. */
const WRONG_A_SECOND = 150;
const TICK_MS = 20;
/** Seconds for which Keystone's word on a token counts here. */
const CACHE_S = 1;
/** The wrong tokens come for some times as long. */
const FLOOD_MS = 6_000;

/** Requests that come at a steady rate, whatever becomes of those before. */
class Flood {
  readonly #statuses = new Map<number, number>();
  readonly #open = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(perSecond: number, send: (turn: number) => Promise<{ readonly status: number }>) {
    const began = performance.now();
    this.#timer = setInterval(() => {
      for (const due = ((performance.now() - began) / 1_000) * perSecond; this.#sent < due; this.#sent += 1) {
        const sending = send(this.#sent).then(({ status }) => {
          this.#statuses.set(status, this.count(status) + 1);
          this.#open.delete(sending);
        });
        this.#open.add(sending);
      }
    }, TICK_MS);
  }

  /** Answers so far with `status`. */
  count(status: number): number {
    return this.#statuses.get(status) ?? 0;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }
}

describeOnRig('callers who are not known', (rig) => {
  let fleet: Fleet;
  let client: ClientProcess;
  let wrong: Api;
  const flood = (headersOf: (turn: number) => Record<string, string>): Flood =>
    new Flood(WRONG_A_SECOND, (turn) =>
      wrong.with({ 'x-auth-token': `wrong-${turn}`, ...headersOf(turn) }).get('/api/v1/bindings'),
    );
  const as = (token: string, headers: Record<string, string> = {}): Api =>
    client.api.with({ 'x-auth-token': token, ...headers });

  beforeAll(async () => {
    fleet = await Fleet.start(rig);
    await fleet.acquainted();
    client = fleet.addClient({
      DMS_AUTH_MODE: 'keystone',
      DMS_AUTH_URL: rig.cloud?.authUrl ?? '',
      DMS_AUTH_CACHE: String(CACHE_S),
      DMS_TRUSTED_PROXIES: '127.0.0.1',
    });
    await client.start();
    wrong = client.api;
  });
  afterAll(() => fleet?.stop());

  it('take nothing from a job whose token was valid: it mounts, renews and unmounts while wrong tokens come', async () => {
    const token = await fleet.targets.cloud.token('owner');
    const target = await fleet.targets.s3('among-strangers');
    const body = {
      ...(await fleet.targets.request(fleet.node.host, 1, target)),
      context: undefined,
      keystone_token: token,
      lease_s: 60,
    };
    expect((await as(token).get('/api/v1/bindings')).status).toBe(200);
    const strangers = flood(() => ({}));
    try {
      await waitFor(() => strangers.count(429) > 0, { timeoutMs: 20_000, what: 'the limit of the address' });
      expect((await as(token).post('/api/v1/mount', body)).status).toBe(200);
      const until = performance.now() + FLOOD_MS;
      while (performance.now() < until) {
        const renewed = await as(token).post(`/api/v1/bindings/1/${target.id}/renew`, {});
        expect(renewed.status).toBe(200);
        await sleep(100);
      }
      expect((await as(token).post('/api/v1/unmount', body)).body).toMatchObject({ unmounted: true });
    } finally {
      await strangers.end();
    }
    expect(strangers.count(401)).toBeGreaterThan(0);
  });

  it('behind a trusted proxy take nothing from callers of other addresses, whose tokens were never seen', async () => {
    const strangers = flood(() => ({ 'x-forwarded-for': '192.0.2.66' }));
    try {
      await waitFor(() => strangers.count(429) > 0, { timeoutMs: 20_000, what: 'the limit of the address' });
      for (let caller = 1; caller <= 5; caller += 1) {
        const token = await fleet.targets.cloud.token('owner');
        const from = { 'x-forwarded-for': `192.0.2.${caller}` };
        expect((await as(token, from).get('/api/v1/bindings')).status).toBe(200);
      }
    } finally {
      await strangers.end();
    }
  });

  it('do not escape the limit by an address that they invent, before the one that the proxy saw', async () => {
    const strangers = flood((turn) => ({ 'x-forwarded-for': `198.51.100.${turn % 250}, 192.0.2.67` }));
    try {
      await waitFor(() => strangers.count(429) > 0, { timeoutMs: 20_000, what: 'the limit of the address' });
      // It is the limit of that address, not of all.
      const token = await fleet.targets.cloud.token('owner');
      const from = { 'x-forwarded-for': '192.0.2.9' };
      expect((await as(token, from).get('/api/v1/bindings')).status).toBe(200);
    } finally {
      await strangers.end();
    }
  });
});
