import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../fleet/fleet';
import { ObjectStoreFront } from '../fleet/object-store-front';
import { type S3Target } from '../fleet/targets';
import { Rig, waitFor } from '../rig';
import {
  bindingsOfRefused,
  countBy,
  falseAlarms,
  type Finding,
  healed,
  leaks,
  missingFiles,
  openOperations,
  operationRows,
  wrongOperations,
} from './checks';
import { HarmLog, type HarmKind, harmKinds } from './harm-log';
import { Job, type JobSurroundings } from './job';
import { planJob } from './job-plan';
import { Journal, type JournalEntry, lineOf, seconds } from './journal';
import { Keeper } from './keeper';
import { Killer } from './killer';
import { MARKER_KEY } from './mount-look';
import { layDisks } from './node-disks';
import { Orchestrator } from './orchestrator';
import { type ChaosResult, evidenceOf, isGood, keepLogs, logTails } from './report';

export interface ChaosOptions {
  readonly seed: number;
  /** How long harm is done; starting, healing and checking come on top. */
  readonly minutes: number;
  /** dms-client processes; default 2. */
  readonly clients?: number;
  /** dms-server processes; default 2. */
  readonly nodes?: number;
  /** Backup targets; default 3. */
  readonly targets?: number;
  /** Jobs at once; default 8. */
  readonly pool?: number;
  /** Whether the database and the broker are clusters of three nodes, which are harmed, too. */
  readonly cluster?: boolean;
  /** What may be done; default: everything. */
  readonly harms?: readonly HarmKind[];
  /** Tells each step of every job, too. */
  readonly verbose?: boolean;
  readonly say?: (line: string) => void;
  /** Aborted to end early: everything is taken down, and there is no result. */
  readonly interrupted?: AbortSignal;
}

const LEASE_S = 5;
const REQUEST_TIMEOUT_S = 20;
const PROBE_TIMEOUT_S = 3;
/** A break is told within six seconds; promises are asserted at three times their value. */
const NOTICE_MS = 3 * 6_000 + PROBE_TIMEOUT_S * 1_000;
const HEALING_MS = 60_000;
const PROGRESS_EVERY_MS = 10_000;
const TAIL_LINES = 15;

const CLIENT_SETTINGS = {
  DMS_LEASE: String(LEASE_S),
  DMS_REQUEST_TIMEOUT: String(REQUEST_TIMEOUT_S),
  DMS_LOCK_TIMEOUT: String(REQUEST_TIMEOUT_S),
  DMS_SETTLE_INTERVAL: '1',
  DMS_RECONCILE_INTERVAL: '5',
  DMS_CLAIM_TTL: '30',
};
const NODE_SETTINGS = {
  DMS_PROBE_TIMEOUT: String(PROBE_TIMEOUT_S),
  DMS_MOUNT_TIMEOUT: '15',
  DMS_UNMOUNT_TIMEOUT: '15',
  DMS_BUSY_TIMEOUT: '2',
};

/** Jobs mount and unmount while everything around them is killed; at the end nothing may be left and nothing untrue. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const say = options.say ?? ((): void => undefined);
  const rig = await Rig.start({
    stopOnSignals: false,
    onProgress: say,
    clusters: options.cluster === true,
  });
  try {
    const { nodes = 2, clients = 2 } = options;
    const fleet = await Fleet.start(rig.addresses, {
      nodes,
      clients,
      nodeSettings: NODE_SETTINGS,
      clientSettings: CLIENT_SETTINGS,
    });
    const store = await ObjectStoreFront.start(rig.addresses.s3?.endpoint ?? '');
    try {
      return await new Chaos(rig, fleet, store, options, say).run();
    } finally {
      await fleet.stop();
      await store.stop();
    }
  } finally {
    await rig.stop();
  }
}

class Chaos {
  readonly #journal: Journal;
  readonly #harms: HarmLog;
  readonly #keeper: Keeper;
  readonly #killer: Killer;
  readonly #orchestrator: Orchestrator;
  readonly #interrupted: AbortSignal;
  readonly #jobs: Job[] = [];
  readonly #targets: S3Target[] = [];
  readonly #requests = new Map<string, Record<string, unknown>>();
  #stopping = false;

  constructor(
    rig: Rig,
    private readonly fleet: Fleet,
    private readonly store: ObjectStoreFront,
    private readonly options: ChaosOptions,
    private readonly say: (line: string) => void,
  ) {
    this.#interrupted = options.interrupted ?? new AbortController().signal;
    this.#journal = new Journal((entry) => this.#tell(entry));
    this.#harms = new HarmLog(this.#journal);
    this.#keeper = new Keeper(fleet, this.#harms, this.#journal);
    this.#orchestrator = new Orchestrator(fleet, this.#journal, REQUEST_TIMEOUT_S * 1_000);
    const tools = {
      fleet,
      rig,
      store,
      orchestrator: this.#orchestrator,
      harms: this.#harms,
      keeper: this.#keeper,
      journal: this.#journal,
      leaseMs: LEASE_S * 1_000,
      isCluster: options.cluster === true,
    };
    this.#killer = new Killer(options.seed, tools, options.harms ?? harmKinds(options.cluster === true));
  }

  async run(): Promise<ChaosResult> {
    await this.#prepare();
    this.#keeper.watch();
    const progress = setInterval(() => this.#progress(), PROGRESS_EVERY_MS);
    try {
      this.#killer.start();
      const pool = Array.from({ length: this.options.pool ?? 8 }, () => this.#workJobs());
      await sleep(this.options.minutes * 60_000, undefined, { signal: this.#interrupted }).catch(
        () => undefined,
      );
      this.say('no more harm; every job finishes');
      this.#stopping = this.#interrupted.aborted;
      await this.#killer.end();
      this.#stopping = true;
      await Promise.all(pool);
      this.#interrupted.throwIfAborted();
      return await this.#check();
    } finally {
      this.#stopping = true;
      clearInterval(progress);
      await this.#killer.end();
      await this.#keeper.end();
    }
  }

  /** Disks of the nodes, buckets with their markers, one request for each place, and both hosts known to the clients. */
  async #prepare(): Promise<void> {
    for (const node of this.fleet.nodes) {
      await node.stop();
      await layDisks(node);
      await node.start();
    }
    for (let index = 0; index < (this.options.targets ?? 3); index += 1) {
      const target = await this.fleet.targets.s3(`chaos-${index + 1}`, { endpoint_url: this.store.url });
      await this.fleet.targets.store.putObject(target.bucket, MARKER_KEY, markerOf(target.id));
      this.#targets.push(target);
      for (const { host } of this.fleet.nodes)
        this.#requests.set(`${host}/${target.id}`, await this.fleet.targets.request(host, 1, target));
    }
    const known = async (): Promise<boolean> =>
      (await this.fleet.query('SELECT host FROM nodes')).length === this.fleet.nodes.length;
    await waitFor(known, { timeoutMs: 30_000, what: 'all nodes to be known' });
  }

  /** One place of the pool: one job after the other. */
  async #workJobs(): Promise<void> {
    while (!this.#stopping && !this.#interrupted.aborted) {
      const places = {
        hosts: this.fleet.nodes.map(({ host }) => host),
        targetIds: this.#targets.map(({ id }) => id),
      };
      const { plan, random } = planJob(this.options.seed, this.#jobs.length + 1, places);
      const job = new Job(plan, random, this.#surroundings());
      this.#jobs.push(job);
      await job.run();
      await sleep(random.between(50, 800));
    }
  }

  #surroundings(): JobSurroundings {
    return {
      orchestrator: this.#orchestrator,
      harms: this.#harms,
      journal: this.#journal,
      request: (host, targetId) => this.#requests.get(`${host}/${targetId}`) ?? {},
      marker: markerOf,
      stopping: () => this.#stopping,
      interrupted: this.#interrupted,
      noticeMs: NOTICE_MS,
    };
  }

  async #check(): Promise<ChaosResult> {
    const { fleet } = this;
    this.say('all jobs have finished; waiting until nothing is left');
    const everything = async (): Promise<Finding[]> => [
      ...(await leaks(fleet)),
      ...(await openOperations(fleet)),
    ];
    const { tookMs } = await healed(everything, this.#journal, HEALING_MS, this.#interrupted);
    const operations = await operationRows(fleet);
    const files = this.#jobs.flatMap(({ durableFiles }) => durableFiles);
    const unfinished = this.#jobs
      .filter(({ released, heldNothing }) => !released && !heldNothing)
      .map(({ plan }) => ({ what: `job ${plan.jobid} could not unmount`, targetId: plan.place.targetId }));
    const result = {
      seed: this.options.seed,
      minutes: this.options.minutes,
      jobs: this.#jobs.length,
      asked: this.#orchestrator.asked,
      harms: this.#harms.harms,
      lies: this.#jobs.flatMap(({ lies }) => lies),
      leaks: await leaks(fleet),
      openOperations: await openOperations(fleet),
      contradictions: [
        ...wrongOperations(this.#orchestrator.asked, operations, this.#harms),
        ...(await bindingsOfRefused(fleet, this.#jobs)),
        ...(await missingFiles(fleet, this.#targets, files)),
        ...(await falseAlarms(fleet, this.#targets, this.#jobs, this.#harms)),
        ...unfinished,
        ...this.#keeper.neverReady.map((what) => ({ what, targetId: null })),
      ],
      filesChecked: files.length,
      dirtyAnswers: this.#jobs.flatMap(({ dirtyAnswers }) => dirtyAnswers).length,
      crashes: this.#keeper.crashes,
      noticed: this.#jobs.flatMap(({ noticed }) => noticed),
      healingMs: tookMs,
      logs: null,
    };
    if (isGood(result)) return result;
    const sources = { journal: this.#journal, harms: this.#harms, jobs: this.#jobs, operations };
    const evidence = evidenceOf(result, sources);
    const logs = join(tmpdir(), `dms-chaos-seed-${result.seed}-${randomUUID().slice(0, 8)}`);
    await keepLogs(logs, fleet, sources, evidence);
    this.say(`\n${evidence}\n\n${await logTails(logs, TAIL_LINES)}\n\nThe logs are kept in ${logs}`);
    return { ...result, logs };
  }

  #tell(entry: JournalEntry): void {
    const isQuiet = entry.who.startsWith('job ') && !entry.what.startsWith('LIE');
    if (this.options.verbose === true || !isQuiet) this.say(lineOf(entry));
  }

  #progress(): void {
    const { asked } = this.#orchestrator;
    const lies = this.#jobs.flatMap((job) => job.lies).length;
    const results = [...countBy(asked, ({ action, status }) => `${action} ${status}`)].sort();
    const text = results.map(([name, count]) => `${name}: ${count}`).join(', ');
    this.say(`${seconds(this.#journal.now()).padStart(8)}  ${this.#jobs.length} jobs, ${lies} lies; ${text}`);
  }
}

/** Unique for its bucket, so that a mount of another one is found out. */
function markerOf(targetId: string): string {
  return `this is the bucket of ${targetId}\n`;
}
