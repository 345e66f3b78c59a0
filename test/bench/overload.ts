import { type Fleet } from '../fleet/fleet';
import { type S3Target } from '../fleet/targets';
import { LoadGenerator } from './load-generator';
import { Samples } from './samples';

const JOBS = 5_000;
/** Jobs at once with which the capacity is found: as many as dms-client lets wait in any case. */
const CLOSED = 16;
const WARM_UP_MS = 8_000;
const CAPACITY_MS = 5_000;
const LOAD_MS = 10_000;
/** Between an overload and the load after it. */
const PAUSE_MS = 1_000;
/** Requests that may be without an answer; the next ones are not sent, and counted. */
const MAX_OPEN = 4_000;
const TICK_MS = 5;
/** An overload is noticed within this time; figures are told with and without it. */
const ONSET_MS = 1_000;
/** The load that is called normal, as a part of the capacity. */
const NORMAL = 0.7;
const OVERLOADS = [3, 10];

/** What a load came to. */
export interface LoadFigure {
  readonly name: string;
  /** Requests a second that were sent. */
  readonly rate: number;
  readonly seconds: number;
  readonly accepted: Samples;
  /** Those of them that were sent after the first second. */
  readonly steady: Samples;
  readonly refused: Samples;
  /** Answers that are neither, connections that broke, and requests that could not be sent. */
  readonly other: number;
}

/**
 * Attaches to targets that are mounted, from this process: as many as are carried out at once, then at a steady rate
 * whatever becomes of those before: normal, more than can be carried out, and normal again right after.
 */
export async function overload(fleet: Fleet, targets: readonly S3Target[]): Promise<LoadFigure[]> {
  const template = await fleet.targets.request(fleet.node.host, 1, targets[0]);
  const requestOf = (jobid: number, { id, secretRef }: S3Target): Record<string, unknown> => ({
    ...template,
    job: { jobid },
    backup_target: { ...(template.backup_target as object), id, secret_ref: secretRef },
  });
  for (const target of targets) await fleet.api.post('/api/v1/mount', requestOf(1_000_000, target));
  const bodies = Array.from({ length: JOBS }, (_, job) =>
    JSON.stringify(requestOf(job + 1, targets[job % targets.length])),
  );
  const load = new Load(fleet, bodies);
  await load.closed(WARM_UP_MS);
  const closed = await load.closed(CAPACITY_MS);
  const capacity = closed.accepted.count / closed.seconds;
  const figures: LoadFigure[] = [{ ...closed, name: `${CLOSED} at once (the capacity)` }];
  const normal = async (name: string): Promise<void> => {
    figures.push({ ...(await load.open(NORMAL * capacity)), name });
  };
  await normal('normal');
  for (const times of OVERLOADS) {
    figures.push({ ...(await load.open(times * capacity)), name: `${times} x capacity` });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    await normal(`normal, ${PAUSE_MS / 1000} s after it`);
  }
  load.close();
  return figures;
}

type Measured = Omit<LoadFigure, 'name'>;

class Load {
  readonly #generator: LoadGenerator;
  #turn = 0;

  constructor(
    fleet: Fleet,
    private readonly bodies: readonly string[],
  ) {
    this.#generator = new LoadGenerator(fleet);
  }

  /** As many at once, each the next when it has its answer. */
  async closed(forMs: number): Promise<Measured> {
    return this.#measured(async (send) => {
      const until = performance.now() + forMs;
      const one = async (): Promise<void> => {
        while (performance.now() < until) await send();
      };
      await Promise.all(Array.from({ length: CLOSED }, one));
    });
  }

  /** So many a second. */
  async open(perSecond: number): Promise<Measured> {
    return this.#measured(async (send) => {
      const open = new Set<Promise<void>>();
      const began = performance.now();
      let sent = 0;
      for (let passed = 0; passed < LOAD_MS; passed = performance.now() - began) {
        for (const due = (passed / 1000) * perSecond; sent < due; sent += 1) {
          const sending = send(open.size >= MAX_OPEN);
          open.add(sending);
          void sending.then(() => open.delete(sending));
        }
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
      await Promise.all(open);
    });
  }

  close(): void {
    this.#generator.close();
  }

  async #measured(run: (send: (skip?: boolean) => Promise<void>) => Promise<void>): Promise<Measured> {
    const [accepted, steady, refused] = [new Samples(), new Samples(), new Samples()];
    let other = 0;
    let all = 0;
    const began = performance.now();
    await run(async (skip = false) => {
      all += 1;
      if (skip) return void (other += 1);
      const sentAt = performance.now();
      const turn = this.#turn++;
      try {
        const status = await this.#generator.send(
          turn,
          '/api/v1/mount',
          this.bodies[turn % this.bodies.length],
        );
        const tookMs = performance.now() - sentAt;
        if (status === 200) {
          accepted.keep(tookMs);
          if (sentAt - began > ONSET_MS) steady.keep(tookMs);
        } else if (status === 503) refused.keep(tookMs);
        else other += 1;
      } catch {
        other += 1;
      }
    });
    const seconds = (performance.now() - began) / 1000;
    return { rate: all / seconds, seconds, accepted, steady, refused, other };
  }
}

/** Prints the figures; the p99 of accepted requests is told as a multiple of that under the normal load, too. */
export function printOverload(figures: readonly LoadFigure[]): void {
  const header = [
    'load',
    'sent/s',
    'accepted/s',
    'p50 ms',
    'p99 ms',
    'x normal',
    'p99 ms after 1 s',
    'x normal',
    'refused/s',
    'p99 ms',
    'other',
  ];
  const normal = figures[1].accepted.quantile(0.99);
  const rows = figures.map(({ name, rate, seconds, accepted, steady, refused, other }) => [
    name,
    rate.toFixed(0),
    (accepted.count / seconds).toFixed(0),
    accepted.median.toFixed(1),
    accepted.quantile(0.99).toFixed(1),
    (accepted.quantile(0.99) / normal).toFixed(2),
    steady.quantile(0.99).toFixed(1),
    (steady.quantile(0.99) / normal).toFixed(2),
    (refused.count / seconds).toFixed(0),
    refused.count === 0 ? '-' : refused.quantile(0.99).toFixed(1),
    String(other),
  ]);
  const widths = header.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column])].map((cell) => cell.length)),
  );
  process.stdout.write('\n');
  for (const row of [header, ...rows]) {
    process.stdout.write(
      `${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ')}\n`,
    );
  }
}
