import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientProcess } from '../fleet/client-process';
import { type Fleet } from '../fleet/fleet';
import { type RacedTarget, type Reply } from './raced-target';

/** What two jobs do at the same time, each through a client of its own. */
export const RACE_KINDS = [
  'unmount-mount',
  'unmount-unmount',
  'mount-mount',
  'same-key',
  'unmount-mount-reconcile',
] as const;

export type RaceKind = (typeof RACE_KINDS)[number];

/** Who races, and how far the second starts behind the first. */
export interface Start {
  readonly fleet: Fleet;
  readonly target: RacedTarget;
  readonly first: ClientProcess;
  readonly second: ClientProcess;
  readonly lagMs: number;
}

/** What a race showed. Each text tells what was seen. */
export interface RaceOutcome {
  /** A job was told that it has a mount, and nothing was mounted. */
  readonly lies: string[];
  /** Several mounts stood over one another. */
  readonly stacked: string[];
  /** Nobody held the target, and its mount stayed. */
  readonly leaks: string[];
  /** Other contradictions, such as two operations for one key. */
  readonly wrong: string[];
  /** The answers to the requests that raced. */
  readonly replies: readonly { readonly action: 'mount' | 'unmount'; readonly reply: Reply }[];
}

/** How each race is run, from a free target to a free target. */
export const RACES: Record<RaceKind, (start: Start) => Promise<RaceOutcome>> = {
  'unmount-mount': (start) => unmountMeetsMount(start, () => Promise.resolve()),
  'unmount-unmount': unmountMeetsUnmount,
  'mount-mount': mountMeetsMount,
  'same-key': mountsWithOneKey,
  'unmount-mount-reconcile': (start) => unmountMeetsMount(start, () => reconcileTwice(start)),
};

/** Job A holds the target and unmounts, and job B mounts. */
async function unmountMeetsMount(start: Start, beside: () => Promise<void>): Promise<RaceOutcome> {
  const { target, first, second } = start;
  const [holder, next] = [target.newJob(), target.newJob()];
  await target.surely('mount', holder, first);
  const [unmounted, mounted] = await Promise.all([
    target.ask('unmount', holder, first),
    afterLag(start, () => target.ask('mount', next, second)),
    beside(),
  ]);
  const outcome = outcomeOf([
    { action: 'unmount', reply: unmounted },
    { action: 'mount', reply: mounted },
  ]);
  checkGrant(outcome, mounted, `job ${next}`, target);
  await free(start, [...(unmounted.status === 200 ? [] : [holder]), next], outcome);
  return outcome;
}

/** Jobs A and B hold the target, and both unmount. */
async function unmountMeetsUnmount(start: Start): Promise<RaceOutcome> {
  const { target, first, second } = start;
  const [one, other] = [target.newJob(), target.newJob()];
  await target.surely('mount', one, first);
  await target.surely('mount', other, second);
  const replies = await Promise.all([
    target.ask('unmount', one, first),
    afterLag(start, () => target.ask('unmount', other, second)),
  ]);
  const outcome = outcomeOf(replies.map((reply) => ({ action: 'unmount', reply })));
  const open = [one, other].filter((_, index) => replies[index].status !== 200);
  await free(start, open, outcome);
  return outcome;
}

/** Jobs A and B mount a free target. */
async function mountMeetsMount(start: Start): Promise<RaceOutcome> {
  const { target, first, second } = start;
  const jobs = [target.newJob(), target.newJob()];
  const replies = await Promise.all([
    target.ask('mount', jobs[0], first),
    afterLag(start, () => target.ask('mount', jobs[1], second)),
  ]);
  const outcome = outcomeOf(replies.map((reply) => ({ action: 'mount', reply })));
  for (const [index, reply] of replies.entries()) checkGrant(outcome, reply, `job ${jobs[index]}`, target);
  await free(start, jobs, outcome);
  return outcome;
}

/** One job asks for the same mount through both clients, with one idempotency key. */
async function mountsWithOneKey(start: Start): Promise<RaceOutcome> {
  const { fleet, target, first, second } = start;
  const jobid = target.newJob();
  const headers = { 'idempotency-key': `race-${jobid}` };
  const replies = await Promise.all([
    target.ask('mount', jobid, first, headers),
    afterLag(start, () => target.ask('mount', jobid, second, headers)),
  ]);
  const outcome = outcomeOf(replies.map((reply) => ({ action: 'mount', reply })));
  for (const reply of replies) checkGrant(outcome, reply, `job ${jobid}`, target);
  const named = new Set(replies.map(({ body }) => body.operation_id).filter((id) => id !== undefined));
  const operations = await fleet.query(
    `SELECT id FROM mount_operations WHERE jobid = ? AND action = 'mount'`,
    [jobid],
  );
  if (named.size > 1 || operations.length > 1)
    outcome.wrong.push(`job ${jobid}: ${named.size} operations told, ${operations.length} recorded`);
  await free(start, [jobid], outcome);
  return outcome;
}

async function reconcileTwice({ fleet, first, second }: Start): Promise<void> {
  const body = { host: fleet.node.host };
  await Promise.all([first, second].map((client) => client.api.post('/api/v1/admin/reconcile', body)));
}

async function afterLag<T>({ lagMs }: Start, work: () => Promise<T>): Promise<T> {
  await sleep(lagMs);
  return await work();
}

function outcomeOf(replies: RaceOutcome['replies']): RaceOutcome {
  return { lies: [], stacked: [], leaks: [], wrong: [], replies };
}

/** A grant must have been true when it was answered, and stay true when all else has been answered. */
function checkGrant(outcome: RaceOutcome, reply: Reply, job: string, { layers }: RacedTarget): void {
  if (reply.status !== 200) return;
  const seen = `${job}, operation ${reply.body.operation_id}: ${reply.layers} mounts, later ${layers}`;
  if (reply.layers === 0 || layers === 0) outcome.lies.push(seen);
  if (reply.layers > 1 || layers > 1) outcome.stacked.push(seen);
}

/** Ends all holds, and sees to it that the mount goes. */
async function free({ target, first }: Start, jobs: readonly number[], outcome: RaceOutcome): Promise<void> {
  if (!(await target.isFreed(jobs, first)))
    outcome.leaks.push(`${target.target.id}: ${target.layers} mounts, and nobody holds it`);
}
