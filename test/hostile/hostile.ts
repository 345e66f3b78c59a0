import { setTimeout as sleep } from 'node:timers/promises';
import { Samples } from '../bench/samples';
import { type Api } from '../fleet/api';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type S3Target } from '../fleet/targets';
import { Rig } from '../rig';
import { type Attack, attackAll } from './attack';

/** How much longer than without attacks the well-behaved job may wait. */
const GOAL = 3;
const RENEWALS = 10;
const RENEW_EVERY_MS = 100;
const CALM_ROUNDS = 10;
const ACTIONS = ['mount', 'renew', 'unmount'] as const;

export interface HostileOptions {
  readonly minutes: number;
  readonly say: (line: string) => void;
  readonly interrupted?: AbortSignal;
}

type Durations = Readonly<Record<(typeof ACTIONS)[number], Samples>>;

/**
 * A job mounts, renews and unmounts, alone and then while strangers send whatever takes the service from others.
 *
 * @returns what the job noticed but for the time
 */
export async function runHostile({ minutes, say, interrupted }: HostileOptions): Promise<string[]> {
  const rig = await Rig.start({ stopOnSignals: false, onProgress: say });
  try {
    const fleet = await Fleet.start(rig.addresses, {
      clientSettings: {
        DMS_AUTH_MODE: 'keystone',
        DMS_AUTH_URL: rig.cloud.address.authUrl,
        DMS_AUTH_CACHE: '5',
        // All come from one machine: who calls from where is what a proxy would say.
        DMS_TRUSTED_PROXIES: '127.0.0.1',
        DMS_LOG_LEVEL: 'WARNING',
      },
      nodeSettings: { DMS_LOG_LEVEL: 'WARNING' },
    });
    try {
      const job = new WellBehavedJob(fleet, await fleet.targets.s3('well-behaved'));
      const calm = await job.rounds((round) => round < CALM_ROUNDS);
      const attacks = await attackAll({
        fleet,
        url: fleet.clients[0].url,
        host: fleet.node.host,
        brokerUrl: fleet.brokerUrl,
        strangersToken: await fleet.targets.cloud.token('stranger'),
      });
      const until = performance.now() + minutes * 60_000;
      const attacked = await job
        .rounds(() => performance.now() < until && interrupted?.aborted !== true)
        .finally(() => Promise.all(attacks.map((attack) => attack.end())));
      print(say, calm, attacked, attacks);
      return job.problems;
    } finally {
      await fleet.stop();
    }
  } finally {
    await rig.stop();
  }
}

class WellBehavedJob {
  readonly problems: string[] = [];
  #jobid = 0;

  constructor(
    private readonly fleet: Fleet,
    private readonly target: S3Target,
  ) {}

  async rounds(goesOn: (round: number) => boolean): Promise<Durations> {
    const durations: Durations = { mount: new Samples(), renew: new Samples(), unmount: new Samples() };
    for (let round = 0; goesOn(round); round += 1) await this.#round(durations);
    return durations;
  }

  async #round(durations: Durations): Promise<void> {
    this.#jobid += 1;
    const { fleet, target } = this;
    const body = {
      ...(await fleet.targets.request(fleet.node.host, this.#jobid, target)),
      context: undefined,
      lease_s: 60,
    } as Record<string, unknown>;
    const api = fleet.api.with({
      'x-auth-token': String(body.keystone_token),
      'x-forwarded-for': '192.0.2.1',
    });
    await this.#ask(durations.mount, api, '/api/v1/mount', body, 'status');
    if (mountsBelow(fleet.node.base).length !== 1)
      this.problems.push('a mount was granted that does not stand');
    for (let renewal = 0; renewal < RENEWALS; renewal += 1) {
      await sleep(RENEW_EVERY_MS);
      await this.#ask(durations.renew, api, `/api/v1/bindings/${this.#jobid}/${target.id}/renew`, {});
    }
    await this.#ask(durations.unmount, api, '/api/v1/unmount', body, 'status');
  }

  async #ask(samples: Samples, api: Api, path: string, body: object, ofSuccess?: string): Promise<void> {
    const answer = await samples
      .time(() => api.post<Record<string, unknown>>(path, body))
      .catch((error: Error) => error);
    if (answer instanceof Error) this.problems.push(`${path}: ${answer.message}`);
    else if (answer.status !== 200 || (ofSuccess !== undefined && answer.body[ofSuccess] !== 'success')) {
      this.problems.push(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }
}

function print(
  say: (line: string) => void,
  calm: Durations,
  attacked: Durations,
  attacks: readonly Attack[],
): void {
  say(`\nof the job        alone ms   p99   attacked ms   p99   times   goal`);
  for (const action of ACTIONS) {
    const [one, other] = [calm[action], attacked[action]];
    const cells = [one.median, one.quantile(0.99), other.median, other.quantile(0.99)].map((ms) =>
      ms.toFixed(1).padStart(9),
    );
    say(
      `${action.padEnd(12)} ${cells.join(' ')}   ${(other.median / one.median).toFixed(2)}   ≤ ${GOAL}   (${other.count})`,
    );
  }
  for (const { name, counts } of attacks) {
    say(`${name}: ${[...counts].map(([what, count]) => `${what} ${count}`).join(', ')}`);
  }
}
