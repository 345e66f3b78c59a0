import { type Journal, seconds } from './journal';

const SERVICE_HARM_KINDS = [
  'broker-kill',
  'broker-pause',
  'connections-close',
  'database-kill',
  'database-pause',
  'fuse-kill-at-commit',
  'store-refuse',
] as const;

/** What the killer can do on clusters only. */
const CLUSTER_HARM_KINDS = [
  'broker-stop',
  'broker-partition',
  'broker-restart',
  'database-stop',
  'database-partition',
  'database-restart',
] as const;

/** What the killer can do. */
const HARM_KINDS = [
  'client-kill',
  'client-pause',
  'client-term',
  'server-kill',
  'server-pause',
  'server-term',
  'server-replace',
  'run-full',
  'fuse-kill',
  'fuse-pause',
  ...SERVICE_HARM_KINDS,
  'node-reboot',
  'stranger-umount',
] as const;

/** Harms of the database, the broker and the object store. */
export type ServiceHarmKind = (typeof SERVICE_HARM_KINDS | typeof CLUSTER_HARM_KINDS)[number];

export type HarmKind = (typeof HARM_KINDS | typeof CLUSTER_HARM_KINDS)[number];

/** All that can be done, on one server each or on clusters. */
export function harmKinds(onClusters: boolean): readonly HarmKind[] {
  return onClusters ? [...HARM_KINDS, ...CLUSTER_HARM_KINDS] : HARM_KINDS;
}

/** Harms by which the ledger may be out of reach. */
export const LEDGER_HARMS: readonly HarmKind[] = [
  'database-kill',
  'database-pause',
  'fuse-kill-at-commit',
  'database-stop',
  'database-partition',
  'database-restart',
];

/** Where a harm is felt: everywhere (no host), on one node, or by one target of a node. */
export interface HarmPlace {
  readonly host: string | null;
  readonly targetId: string | null;
}

/** What was done, from when to when. */
export interface Harm extends HarmPlace {
  /** `crash`: a program ended that nobody had killed. */
  readonly kind: HarmKind | 'crash';
  readonly victim: string;
  readonly from: number;
  /** When all stood again; null while it does not. */
  to: number | null;
  /** Whether mounts of its place broke by it: `surely` those that were granted before `from`. */
  breaks: 'no' | 'maybe' | 'surely';
}

/** What the killer does, as the jobs have to know it to tell a lie from damage that was done from outside. */
export class HarmLog {
  readonly harms: Harm[] = [];

  constructor(private readonly journal: Journal) {}

  begin(kind: Harm['kind'], victim: string, place: HarmPlace, breaks: Harm['breaks'] = 'no'): Harm {
    const harm: Harm = { kind, victim, ...place, from: this.journal.now(), to: null, breaks };
    this.harms.push(harm);
    this.journal.note('killer', `${kind} ${victim}`);
    return harm;
  }

  end(harm: Harm): void {
    harm.to = this.journal.now();
    const lasted = harm.to - harm.from;
    if (lasted > 200)
      this.journal.note('killer', `${harm.kind} ${harm.victim} is over after ${seconds(lasted)} s`);
  }

  /** Since when nothing is harmed that a mount of this place needs; null while something is. */
  wholeSince(place: HarmPlace): number | null {
    const felt = this.harms.filter((harm) => concerns(harm, place));
    if (felt.some(({ to }) => to === null)) return null;
    return Math.max(0, ...felt.map(({ to }) => to ?? 0));
  }

  /** The first harm by which a mount of this place broke that was granted at `grantedAt`. */
  sureBreak(place: HarmPlace, grantedAt: number): Harm | undefined {
    return this.harms.find(
      (harm) => harm.breaks === 'surely' && concerns(harm, place) && harm.from >= grantedAt,
    );
  }

  /** Whether something that breaks mounts of this place was at work after `since`. */
  mayHaveBroken(place: HarmPlace, since: number): boolean {
    return this.harms.some(
      (harm) => harm.breaks !== 'no' && concerns(harm, place) && (harm.to === null || harm.to >= since),
    );
  }

  /** Whether a harm of these kinds was at work at any moment of a span of time. */
  wasAtWork(kinds: readonly Harm['kind'][], from: number, to: number): boolean {
    return this.harms.some(
      (harm) => kinds.includes(harm.kind) && harm.from <= to && (harm.to === null || harm.to >= from),
    );
  }
}

function concerns(harm: HarmPlace, place: HarmPlace): boolean {
  const sameHost = harm.host === null || harm.host === place.host;
  return sameHost && (harm.targetId === null || harm.targetId === place.targetId);
}
