import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type ServerSettings, SETTINGS } from '../settings/server.settings';
import { BoundedOutput } from './bounded-output';
import { ChildRecords } from './child-records';
import { type ChildCommand, type ChildOutcome, type ChildRunner } from './child-runner.interface';
import { waitUntil } from './delay';
import { ProcessStarts } from './process-starts';
import { RunningGroups } from './running-groups';
import { scriptPath } from './scripts';
import { shortageOf } from './shortage';

const DEFAULT_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
const OUTPUT_BYTES = 16 * 1024;
/** A child that was killed and is not gone after this long is in D state. */
const REAP_MS = 2_000;
/** A grandchild may keep the pipes open after the child has ended; what is under way gets this long. */
const LAST_OUTPUT_MS = 100;
/** Exit statuses of child-guard.sh and the shell where the program did not run. */
const UNRECORDED = 125;
const NOT_STARTED = new Map([
  [
    UNRECORDED,
    'its record in the run directory could not be written; look whether that is full or read-only',
  ],
  [126, 'it cannot be executed'],
  [127, 'it is not installed'],
]);

@Injectable()
export class ChildRunnerAdapter implements ChildRunner {
  readonly #log = new Logger('Children');
  readonly #records: ChildRecords;
  readonly #guard = scriptPath('child-guard.sh');
  /** Records of children whose `run` has not returned yet: their own callers wait for them. */
  readonly #running = new Set<string>();

  constructor(
    @Inject(SETTINGS) settings: Pick<ServerSettings, 'runDir'>,
    @Inject(ProcessStarts) private readonly starts = new ProcessStarts(),
    @Inject(RunningGroups) private readonly groups = new RunningGroups(),
  ) {
    this.#records = new ChildRecords(settings.runDir);
  }

  async run(command: ChildCommand): Promise<ChildOutcome> {
    if (command.deadlineMs <= 0 || command.signal?.aborted)
      return { kind: 'deadline', gone: true, output: '' };
    let record: string;
    try {
      record = await this.#records.create(command.targetId);
    } catch (error) {
      return notStarted(command, error, 'no record could be made');
    }
    this.#running.add(record);
    try {
      return await this.#runOnRecord(command, record);
    } finally {
      this.#running.delete(record);
    }
  }

  async childrenLeft(targetId: string): Promise<number> {
    return (await this.#leftOver(await this.#records.list(targetId))).length;
  }

  async endLeftOver(): Promise<void> {
    const records = await this.#records.list();
    const left = await waitUntil(REAP_MS, async () => {
      const living = await this.#leftOver(records);
      for (const { leader } of living) if (leader !== null) killGroup(leader.pid);
      return living.length === 0 ? living : null;
    });
    if (left === null) this.#log.warn('Children of an earlier dms-server live on and cannot be ended.');
  }

  async #runOnRecord(command: ChildCommand, record: string): Promise<ChildOutcome> {
    const output = new BoundedOutput(OUTPUT_BYTES);
    let child: ChildProcess;
    try {
      child = await this.starts.start('/bin/sh', [this.#guard, record, command.program, ...command.args], {
        cwd: '/',
        detached: true,
        env: { ...(command.env ?? DEFAULT_ENVIRONMENT) },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      await this.#records.remove(record);
      return notStarted(command, error, 'it cannot be started');
    }
    child.stdout?.on('data', (chunk: Buffer) => output.add(chunk));
    child.stderr?.on('data', (chunk: Buffer) => output.add(chunk));
    const { pid = 0 } = child;
    this.groups.add(pid);
    const ended = await endOf(child, command);
    const gone = await this.#endGroup(child, record).finally(() => this.groups.delete(pid));
    const text = await lastOutput(child, output, ended !== null);
    if (ended === null) return { kind: 'deadline', gone, output: text };
    const failure = NOT_STARTED.get(ended.code ?? 0);
    if (failure !== undefined)
      return {
        kind: 'not-started',
        reason: `${command.program}: ${failure}`,
        ...(ended.code === UNRECORDED ? { isShortage: true } : {}),
      };
    return { ...ended, output: text };
  }

  /** Kills what is left of the child's group; its record stays while anything of it lives. */
  async #endGroup(child: ChildProcess, record: string): Promise<boolean> {
    const pid = child.pid ?? 0;
    if (killGroup(pid)) {
      const gone = await waitUntil(REAP_MS, async () => {
        const state = await this.#records.look(record);
        // Before the child is on record it is known to have ended only when it was reaped.
        const ended = state.kind === 'starting' ? hasEnded(child) : state.kind === 'gone';
        return ended ? true : null;
      });
      if (gone === null) {
        this.#log.warn(`Process ${pid} does not end: it hangs in the kernel.`);
        child.unref();
        return false;
      }
    }
    await this.#records.remove(record);
    return true;
  }

  /** The living ones of `records` that nobody waits for; records of ended ones are removed. */
  async #leftOver(records: readonly string[]): Promise<{ leader: { pid: number } | null }[]> {
    const left: { leader: { pid: number } | null }[] = [];
    for (const record of records) {
      if (this.#running.has(record)) continue;
      const state = await this.#records.look(record);
      if (state.kind === 'gone') await this.#records.remove(record);
      else left.push({ leader: state.kind === 'lives' ? state.leader : null });
    }
    return left;
  }
}

interface End {
  readonly kind: 'exited';
  readonly code: number | null;
  readonly signal: string | null;
}

function notStarted({ program }: ChildCommand, error: unknown, what: string): ChildOutcome {
  const shortage = shortageOf(error);
  const reason = `${program}: ${what}: ${shortage ?? textOf(error)}`;
  return { kind: 'not-started', reason, ...(shortage === null ? {} : { isShortage: true }) };
}

/** Waits until the child has ended, at most until its deadline or its signal: null if it has not. */
async function endOf(
  child: ChildProcess,
  { deadlineMs, signal }: Pick<ChildCommand, 'deadlineMs' | 'signal'>,
): Promise<End | null> {
  return new Promise((resolve) => {
    const settle = (end: End | null): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      resolve(end);
    };
    const giveUp = (): void => settle(null);
    const timer = setTimeout(giveUp, deadlineMs);
    if (signal?.aborted) giveUp();
    else signal?.addEventListener('abort', giveUp);
    if (hasEnded(child)) settle({ kind: 'exited', code: child.exitCode, signal: child.signalCode });
    child.once('exit', (code, signal) => settle({ kind: 'exited', code, signal }));
  });
}

async function lastOutput(child: ChildProcess, output: BoundedOutput, exited: boolean): Promise<string> {
  const pipes = [child.stdout, child.stderr].filter((pipe) => pipe !== null);
  if (exited && pipes.some((pipe) => !pipe.closed)) {
    const abort = new AbortController();
    const closed = once(child, 'close', { signal: abort.signal }).catch(() => undefined);
    await Promise.race([closed, sleep(LAST_OUTPUT_MS, undefined, { ref: false })]);
    abort.abort();
  }
  for (const pipe of pipes) pipe.destroy();
  return output.toString();
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** @returns false if the group has no member, not even one that has ended and is not reaped */
function killGroup(leader: number): boolean {
  if (leader < 2) return false;
  try {
    process.kill(-leader, 'SIGKILL');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
