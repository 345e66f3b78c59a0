import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GaleraNode, type RabbitMq, type Service } from '../rig';
import { type Daemon, daemonsOf, signalDaemon } from './daemons';
import { type HarmKind, type ServiceHarmKind } from './harm-log';
import {
  type Act,
  doing,
  EVERYWHERE,
  everybodyReady,
  type HarmSize,
  type HarmTools,
  lasting,
} from './harm-tools';
import { layersAt } from './mount-look';

type Part = 'database' | 'broker';

/** How long a new mount is waited for. */
const NEW_MOUNT_WITHIN_MS = 5_000;

/** How the database, the broker and the object store are harmed: one server, or in turn each node of a cluster. */
export const SERVICE_ACTS: Record<ServiceHarmKind, Act> = {
  'broker-kill': (tools, size) => killed('broker-kill', 'broker', tools, size),
  'broker-pause': (tools, size) => paused('broker-pause', 'broker', tools, size),
  'connections-close': connectionsClosed,
  'database-kill': (tools, size) => killed('database-kill', 'database', tools, size),
  'database-pause': (tools, size) => paused('database-pause', 'database', tools, size),
  'fuse-kill-at-commit': daemonKilledAtCommit,
  'store-refuse': storeRefuses,
  'broker-stop': (tools, size) => stopped('broker-stop', 'broker', tools, size),
  'broker-partition': brokerCutOff,
  'broker-restart': (tools, size) => restarted('broker-restart', 'broker', tools, size),
  'database-stop': (tools, size) => stopped('database-stop', 'database', tools, size),
  'database-partition': databaseCutOff,
  'database-restart': (tools, size) => restarted('database-restart', 'database', tools, size),
};

async function killed(kind: HarmKind, part: Part, tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  await onNode(kind, part, tools, async (service) => {
    await service.kill();
    await lasting(tools, howLong * 5_000);
    await service.start();
  });
}

async function stopped(kind: HarmKind, part: Part, tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  await onNode(kind, part, tools, async (service) => {
    await service.stop();
    await lasting(tools, howLong * 5_000);
    await service.start();
  });
}

async function paused(kind: HarmKind, part: Part, tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  await onNode(kind, part, tools, async (service) => {
    service.pause();
    try {
      await lasting(tools, 1_000 + howLong * 11_000);
    } finally {
      service.resume();
    }
  });
}

/** The daemon of a mount that was just made dies while the ledger cannot be told of the mount. */
async function daemonKilledAtCommit(tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  const { harms } = tools;
  await onNode('fuse-kill-at-commit', 'database', tools, async (service) => {
    const daemon = await newDaemon(tools);
    if (daemon === null) return;
    service.pause();
    try {
      const place = { host: daemon.node.host, targetId: daemon.targetId };
      const harm = harms.begin('fuse-kill', `${daemon.targetId} (pid ${daemon.pid})`, place, 'maybe');
      if (signalDaemon(daemon, 'SIGKILL')) harm.breaks = 'surely';
      harms.end(harm);
      await lasting(tools, 1_000 + howLong * 4_000);
    } finally {
      service.resume();
    }
  });
}

/** The daemon of a mount that appears meanwhile; null if none does. */
async function newDaemon({ fleet, busy, ending }: HarmTools): Promise<Daemon | null> {
  const mounted = (): Daemon[] =>
    fleet.nodes
      .filter((node) => !busy.has(node))
      .flatMap((node) => daemonsOf(node))
      .filter(({ node, targetId }) => layersAt(join(node.base, targetId)).length > 0);
  const before = new Set(mounted().map(({ pid }) => pid));
  const end = performance.now() + NEW_MOUNT_WITHIN_MS;
  while (performance.now() < end && !ending.aborted) {
    const found = mounted().find(({ pid }) => !before.has(pid) && !busy.has(pid));
    if (found !== undefined) return found;
    await sleep(5);
  }
  return null;
}

/** Reads are answered, and uploads are not taken: for good, or by a failure that says to try again. */
async function storeRefuses(tools: HarmTools, { which, howLong }: HarmSize): Promise<void> {
  const { harms, store } = tools;
  if (store.refuses !== null) return;
  const status = which < 0.5 ? 403 : 503;
  const harm = harms.begin('store-refuse', `uploads with ${status}`, EVERYWHERE);
  store.refuses = (request) => (/^(PUT|POST) /.test(request) ? status : null);
  await lasting(tools, 1_000 + howLong * 7_000);
  store.refuses = null;
  harms.end(harm);
}

async function connectionsClosed(tools: HarmTools): Promise<void> {
  await onNode('connections-close', 'broker', tools, async (service) => {
    await (service as RabbitMq).closeConnections('chaos');
  });
}

async function databaseCutOff(tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  await onNode('database-partition', 'database', tools, async (service) => {
    const node = service as GaleraNode;
    try {
      await node.isolate();
      await lasting(tools, howLong * 8_000);
    } finally {
      await node.rejoin();
    }
  });
}

async function brokerCutOff(tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  await onNode('broker-partition', 'broker', tools, async (service) => {
    const cluster = tools.rig.brokerCluster;
    try {
      await cluster.isolate(service as RabbitMq);
      await lasting(tools, 1_000 + howLong * 8_000);
    } finally {
      await cluster.rejoin(service as RabbitMq);
    }
  });
}

/** A power cut of all nodes. */
async function restarted(kind: HarmKind, part: Part, tools: HarmTools, { howLong }: HarmSize): Promise<void> {
  const cluster = part === 'database' ? tools.rig.databaseCluster : tools.rig.brokerCluster;
  await harming(kind, part, `all nodes of the ${part}`, tools, async () => {
    await cluster.kill();
    await lasting(tools, howLong * 3_000);
    await cluster.start();
  });
}

/** Harms a node and waits until the cluster is whole again. Each node has its turn. */
async function onNode(
  kind: HarmKind,
  part: Part,
  tools: HarmTools,
  work: (service: Service) => Promise<void>,
): Promise<void> {
  const nodes = nodesOf(part, tools);
  const before = tools.harms.harms.filter((harm) => harm.kind === kind).length;
  const node = nodes[before % nodes.length];
  await harming(kind, part, node.title, tools, async () => {
    await work(node);
    if (tools.isCluster) await wholeAgain(part, tools);
  });
}

async function harming(
  kind: HarmKind,
  part: Part,
  victim: string,
  tools: HarmTools,
  work: () => Promise<void>,
): Promise<void> {
  // One node of a cluster at a time, so that the others have a majority.
  if (tools.busy.has(part)) return;
  await doing(tools, part, async () => {
    const harm = tools.harms.begin(kind, victim, EVERYWHERE);
    await work();
    await everybodyReady(tools);
    tools.harms.end(harm);
  });
}

function nodesOf(part: Part, { rig, isCluster }: HarmTools): readonly Service[] {
  if (part === 'database') return isCluster ? rig.databaseCluster.nodes : [rig.database];
  return isCluster ? rig.brokerCluster.nodes : [rig.broker];
}

async function wholeAgain(part: Part, { rig }: HarmTools): Promise<void> {
  await (part === 'database' ? rig.databaseCluster.whole() : rig.brokerCluster.whole());
}
