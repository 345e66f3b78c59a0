import { join } from 'node:path';
import { parseTargetRequest } from '@app/contracts';
import { Fleet } from '../fleet/fleet';
import { type S3Target } from '../fleet/targets';
import { Rig } from '../rig';
import { type Programs } from './cpu';
import { crowd, type CrowdFigure, printCrowds } from './crowd';
import { BareS3fs, echoFloor, insertFloor } from './floors';
import { overload, type LoadFigure, printOverload } from './overload';
import { Samples } from './samples';
import { startService } from './service';
import { type Figure, printFigures } from './table';

const ATTACHES = 400;
/** Caches are warm after it, and the service of this process has heard the node's hello. */
const WARM_UP_MS = 4_000;
const MOUNTS = 15;
/** As many s3fs processes run at once. */
const DISTINCT_TARGETS = 100;
const OVERLOADED_TARGETS = 20;

const PARTS = ['attach', 'mount', 'crowd', 'overload'] as const;
type Part = (typeof PARTS)[number];

const HELP = `Usage: npm run bench [-- PART…]

  attach    a job joins a mount that stands, beside an INSERT and its commit
  mount     the first mount of a bucket, beside a bare s3fs
  crowd     100 jobs at once, on one target and on 100, with one dms-client and with four
  overload  attaches at a steady rate: 0.7, 3 and 10 times what can be carried out

Without a part: all.
`;

async function bench(rig: Rig, parts: ReadonlySet<Part>): Promise<Figure[]> {
  const fleet = await Fleet.start(rig.addresses, {
    nodeSettings: { DMS_LOG_LEVEL: 'INFO' },
    clientSettings: { DMS_LOG_LEVEL: 'INFO' },
  });
  try {
    return [
      ...(parts.has('attach') ? await attachFigures(fleet) : []),
      ...(parts.has('mount') ? await mountFigures(rig, fleet) : []),
    ];
  } finally {
    await fleet.stop();
  }
}

/** A job joins a mount that another job holds: the ledger alone. Floors and figures take turns. */
async function attachFigures(fleet: Fleet): Promise<Figure[]> {
  const target = await fleet.targets.s3('bench');
  const template = await fleet.targets.request(fleet.node.host, 1, target);
  await fleet.api.post('/api/v1/mount', template);
  const request = (jobid: number): Record<string, unknown> => ({ ...template, job: { jobid } });
  const service = await startService(fleet.clients[0].environment);
  const insert = await insertFloor(fleet.databaseUrl);
  const echo = await echoFloor(fleet.brokerUrl);
  const samples = { insert: new Samples(), echo: new Samples(), service: new Samples(), http: new Samples() };
  const warmUp = new Samples();
  const warm = performance.now() + WARM_UP_MS;
  for (let round = 0; samples.insert.count < ATTACHES; round += 1) {
    const cold = performance.now() < warm;
    const pick = (kept: Samples): Samples => (cold ? warmUp : kept);
    await pick(samples.insert).time(() => insert.once());
    await pick(samples.service).time(() =>
      service.mounts.mount(parseTargetRequest(request(10_000 + round), 'mount')),
    );
    await pick(samples.http).time(() => fleet.api.post('/api/v1/mount', request(20_000 + round)));
    await pick(samples.echo).time(() => echo.once());
  }
  await Promise.all([service.close(), insert.close(), echo.close()]);
  const floor = { name: 'INSERT + commit', samples: samples.insert };
  return [
    { name: 'attach, in the service', samples: samples.service, floor, goal: 3 },
    { name: 'attach, over HTTP', samples: samples.http, floor, goal: 5 },
    { name: 'RPC echo', samples: samples.echo, floor, goal: null },
  ];
}

/** A request that finds the bucket unmounted, until the mount can be used, beside a bare s3fs. */
async function mountFigures(rig: Rig, fleet: Fleet): Promise<Figure[]> {
  const target = await fleet.targets.s3('bench-first');
  const bare = new BareS3fs(rig.s3.address, target.bucket, join(fleet.directory, 'bare'));
  const samples = {
    bare: new Samples(),
    withSecret: new Samples(),
    mount: new Samples(),
    unmount: new Samples(),
  };
  for (let round = 0; round < MOUNTS; round += 1) {
    await samples.bare.time(() => bare.mount());
    await bare.release();
    const token = await fleet.targets.cloud.token('owner');
    await samples.withSecret.time(async () => {
      await fleet.targets.cloud.readSecret(token, target.secretRef);
      await bare.mount();
    });
    await bare.release();
    const request = await fleet.targets.request(fleet.node.host, 30_000 + round, target);
    const mounted = await samples.mount.time(() => fleet.api.post('/api/v1/mount', request));
    if (mounted.status !== 200) throw new Error(`The mount failed: ${String(mounted.body.error_msg)}`);
    await samples.unmount.time(() => fleet.api.post('/api/v1/unmount', request));
  }
  const floor = { name: 'bare s3fs start', samples: samples.bare };
  const withSecret = { name: 'secret read, then bare s3fs', samples: samples.withSecret };
  return [
    { name: 'first mount of an S3 target, over HTTP', samples: samples.mount, floor, goal: null },
    { name: 'first mount of an S3 target, over HTTP', samples: samples.mount, floor: withSecret, goal: 1.15 },
    { name: 'last unmount, over HTTP', samples: samples.unmount, floor, goal: null },
  ];
}

/** With one dms-client, and with four side by side. */
async function crowds(rig: Rig): Promise<CrowdFigure[]> {
  const figures: CrowdFigure[] = [];
  for (const clients of [1, 4]) {
    const settings = { DMS_LOG_LEVEL: 'WARNING' };
    const fleet = await Fleet.start(rig.addresses, {
      clients,
      nodeSettings: settings,
      clientSettings: settings,
    });
    try {
      const programs: Programs = {
        'dms-client': fleet.clients.map(({ pid }) => pid),
        'dms-server': fleet.nodes.map(({ pid }) => pid),
        MariaDB: [rig.database.pid],
        RabbitMQ: [rig.broker.pid],
      };
      const targets: S3Target[] = [];
      while (targets.length < DISTINCT_TARGETS) targets.push(await fleet.targets.s3('crowd'));
      figures.push(await crowd(fleet, `one target, ${clients} client(s)`, targets.slice(0, 1), programs));
      figures.push(
        await crowd(fleet, `${DISTINCT_TARGETS} targets, ${clients} client(s)`, targets, programs),
      );
    } finally {
      await fleet.stop();
    }
  }
  return figures;
}

/** One dms-client; its callers are nobody in particular. */
async function overloads(rig: Rig): Promise<LoadFigure[]> {
  const settings = { DMS_LOG_LEVEL: 'WARNING' };
  const fleet = await Fleet.start(rig.addresses, { nodeSettings: settings, clientSettings: settings });
  try {
    const targets: S3Target[] = [];
    while (targets.length < OVERLOADED_TARGETS) targets.push(await fleet.targets.s3('overload'));
    return await overload(fleet, targets);
  } finally {
    await fleet.stop();
  }
}

async function main(parts: ReadonlySet<Part>): Promise<void> {
  // Barbican remembers tokens, as it does by default elsewhere: what is measured is the mount, not Keystone.
  const openstack = { barbican: { tokenCacheSeconds: 300 } };
  const rig = await Rig.start({ openstack, onProgress: (line) => process.stdout.write(`${line}\n`) });
  try {
    if (parts.has('attach') || parts.has('mount')) {
      const figures = await bench(rig, parts);
      process.stdout.write('\n');
      printFigures(figures);
    }
    if (parts.has('crowd')) printCrowds(await crowds(rig));
    if (parts.has('overload')) printOverload(await overloads(rig));
  } finally {
    await rig.stop();
  }
}

function isPart(name: string): name is Part {
  return PARTS.some((part) => part === name);
}

const given = process.argv.slice(2);
if (given.some((name) => name === '--help' || name === '-h')) process.stdout.write(HELP);
else if (!given.every(isPart)) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  main(new Set(given.length === 0 ? PARTS : given)).catch((error: unknown) => {
    process.stderr.write(
      `The benchmark did not finish: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exitCode = 1;
  });
}
