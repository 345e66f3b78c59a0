import { cpus, loadavg } from 'node:os';
import { type Fleet } from '../fleet/fleet';
import { type S3Target } from '../fleet/targets';
import { CpuMeter, type CpuTimes, type Programs } from './cpu';
import { LoadGenerator } from './load-generator';
import { Samples } from './samples';

const JOBS = 100;
const ROUNDS = 20;
/** Rounds before them, so that code is compiled (it takes some thousand requests) and connections are open. */
const WARM_UP_ROUNDS = 25;

/** What 100 jobs at once came to. */
export interface CrowdFigure {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly samples: Samples;
  /** Milliseconds for each request. */
  readonly cpu: CpuTimes;
}

/**
 * 100 jobs at once mount, and then 100 at once unmount, again and again, over the HTTP facades in turn. The targets are
 * mounted by a job of their own before: what is measured is deciding, not mounting.
 *
 * @param targets each job takes its own, in turn
 * @param programs whose processor time is measured, beside that of the load
 */
export async function crowd(
  fleet: Fleet,
  name: string,
  targets: readonly S3Target[],
  programs: Programs,
): Promise<CrowdFigure> {
  const template = await fleet.targets.request(fleet.node.host, 1, targets[0]);
  const requestOf = (jobid: number, target: S3Target): Record<string, unknown> => ({
    ...template,
    job: { jobid },
    backup_target: { ...(template.backup_target as object), id: target.id, secret_ref: target.secretRef },
  });
  const jobs = Array.from({ length: JOBS }, (_, index) => index + 1);
  const bodies = new Map(
    jobs.map((job) => [job, JSON.stringify(requestOf(job, targets[job % targets.length]))]),
  );
  const generator = new LoadGenerator(fleet);
  for (const target of targets) await fleet.api.post('/api/v1/mount', requestOf(1_000_000, target));
  const rounds = async (count: number, samples: Samples): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      for (const action of ['mount', 'unmount']) {
        const send = (job: number): Promise<void> =>
          generator.post(job, `/api/v1/${action}`, bodies.get(job) ?? '');
        await Promise.all(jobs.map((job) => samples.time(() => send(job))));
      }
    }
  };
  await rounds(WARM_UP_ROUNDS, new Samples());
  const samples = new Samples();
  const meter = new CpuMeter(programs);
  const began = performance.now();
  await rounds(ROUNDS, samples);
  const seconds = (performance.now() - began) / 1000;
  const cpu = meter.perRequest(samples.count);
  generator.close();
  for (const target of targets) await fleet.api.post('/api/v1/unmount', requestOf(1_000_000, target));
  return { name, requestsPerSecond: samples.count / seconds, samples, cpu };
}

/**
 * Prints the figures of crowds; the Python system did 18 to 24 and 16 requests/s with a p99 of 7 to 10 s. The load and the
 * services share the machine: processor time for each request says more of the code than requests a second do.
 */
export function printCrowds(figures: readonly CrowdFigure[]): void {
  process.stdout.write('\n100 jobs at once               requests/s  median ms   p99 ms  longest / median\n');
  for (const { name, requestsPerSecond, samples } of figures) {
    const cells = [
      requestsPerSecond.toFixed(0).padStart(10),
      samples.median.toFixed(1).padStart(10),
      samples.quantile(0.99).toFixed(1).padStart(8),
    ];
    process.stdout.write(
      `${name.padEnd(30)} ${cells.join(' ')} ${(samples.quantile(1) / samples.median).toFixed(1).padStart(17)}\n`,
    );
  }
  const programs = Object.keys(figures[0]?.cpu ?? {});
  process.stdout.write(
    `\nCPU ms a request              ${programs.map((name) => name.padStart(11)).join('')}\n`,
  );
  for (const { name, cpu } of figures) {
    const cells = programs.map((program) => cpu[program].toFixed(3).padStart(11));
    process.stdout.write(`${name.padEnd(30)}${cells.join('')}\n`);
  }
  const load = loadavg().map((average) => average.toFixed(1));
  process.stdout.write(`${cpus().length} processors, load average ${load.join(', ')}\n`);
}
