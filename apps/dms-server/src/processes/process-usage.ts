import { readFile } from 'node:fs/promises';
import { type ProcessStat } from './process-identity';

/** USER_HZ, which the kernel has as 100 on every architecture that it reports to programs. */
const TICKS_PER_SECOND = 100;

/** What a process uses, as far as it can be seen. */
export interface ProcessUsage {
  readonly startedAt: Date;
  readonly uptimeSeconds: number;
  readonly rssBytes: number | null;
  /** Of one processor, since its start, as ps(1) has it. */
  readonly cpuPercent: number;
}

/** States of proc_pid_stat(5) that an operator is to see, in words. */
const STATES: Readonly<Record<string, string>> = {
  R: 'runs',
  S: 'sleeps',
  D: 'waits',
  T: 'stopped',
  t: 'stopped',
};

/** What the process does, e.g. `stopped`; `ended` also for one that nobody has reaped yet. */
export function stateText(stat: Pick<ProcessStat, 'state'> | null): string {
  return stat === null ? 'ended' : (STATES[stat.state] ?? 'ended');
}

export async function usageOf(stat: ProcessStat): Promise<ProcessUsage> {
  const [uptime] = (await readFile('/proc/uptime', 'utf8')).split(' ');
  const uptimeSeconds = Math.max(Number(uptime) - stat.startTime / TICKS_PER_SECOND, 0);
  const cpuSeconds = stat.cpuTicks / TICKS_PER_SECOND;
  return {
    startedAt: new Date(Date.now() - uptimeSeconds * 1000),
    uptimeSeconds,
    rssBytes: await rssOf(stat.pid),
    cpuPercent: uptimeSeconds > 0 ? Math.round((cpuSeconds / uptimeSeconds) * 1000) / 10 : 0,
  };
}

async function rssOf(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  return match === null ? null : Number(match[1]) * 1024;
}
