import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet } from '../fleet/fleet';
import { type ObjectStoreFront } from '../fleet/object-store-front';
import { type Rig } from '../rig';
import { type HarmLog } from './harm-log';
import { type Journal } from './journal';
import { type Keeper, type Program } from './keeper';
import { type Orchestrator } from './orchestrator';

/** What the harms are done with. */
export interface HarmTools {
  readonly fleet: Fleet;
  readonly rig: Rig;
  /** Stands before the object store, for all mounts. */
  readonly store: ObjectStoreFront;
  readonly orchestrator: Orchestrator;
  /** Whether the database and the broker are clusters. */
  readonly isCluster: boolean;
  readonly harms: HarmLog;
  readonly keeper: Keeper;
  readonly journal: Journal;
  readonly leaseMs: number;
  /** Aborted when the harm has to be undone at once. */
  readonly ending: AbortSignal;
  /** What is being harmed just now: nothing is harmed twice at a time. */
  readonly busy: Set<unknown>;
}

/** Both from 0 to 1: which of several victims, and how long. */
export interface HarmSize {
  readonly which: number;
  readonly howLong: number;
}

/** Does a harm, and undoes it. */
export type Act = (tools: HarmTools, size: HarmSize) => Promise<void>;

const REQUEST_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 5;

/** The place of a harm that is felt everywhere. */
export const EVERYWHERE = { host: null, targetId: null };

/** Works on a victim that nobody else harms meanwhile. */
export async function doing(tools: HarmTools, victim: unknown, work: () => Promise<void>): Promise<void> {
  tools.busy.add(victim);
  try {
    await work();
  } finally {
    tools.busy.delete(victim);
  }
}

/** Lets a harm last, unless everything has to be undone at once. */
export async function lasting({ ending }: HarmTools, milliseconds: number): Promise<void> {
  await sleep(milliseconds, undefined, { signal: ending }).catch(() => undefined);
}

/** Resolves when a program has a request to work on, or has got none for a while. */
export async function underWay({ orchestrator, ending }: HarmTools, program: Program): Promise<void> {
  for (let waited = 0; waited < REQUEST_WITHIN_MS && !ending.aborted; waited += LOOK_EVERY_MS) {
    if (orchestrator.isWaitingFor(program)) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Resolves when all programs that are not harmed otherwise say ready. */
export async function everybodyReady({ fleet, keeper, busy }: HarmTools): Promise<void> {
  const programs = [...fleet.clients, ...fleet.nodes].filter((program) => !busy.has(program));
  await Promise.all(programs.map((program) => keeper.awaitReady(program)));
}
