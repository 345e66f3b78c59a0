import * as fc from 'fast-check';
import { type DatabaseFault } from './fake-ledger';
import { type NodeFault } from './fake-node';
import { type NetworkFault } from './network';

export const JOBS = 3;
export const PROCESSES = 2;
const HOUR_MS = 3_600_000;

/** What happens at one point of a history. */
export type Event =
  | { readonly kind: 'mount' | 'unmount'; readonly job: number; readonly process: number }
  | { readonly kind: 'hang up'; readonly job: number }
  | { readonly kind: 'network'; readonly fault: NetworkFault }
  | { readonly kind: 'database'; readonly fault: DatabaseFault }
  | { readonly kind: 'node'; readonly fault: NodeFault }
  | { readonly kind: 'kill' | 'pause'; readonly process: number }
  | { readonly kind: 'clock'; readonly writer: number; readonly byMs: number }
  | { readonly kind: 'reboot' | 'lose memory' | 'daemon dies' | 'server crash' };

/** Events, each with the milliseconds that pass after it. */
export type History = readonly { readonly event: Event; readonly thenMs: number }[];

const job = fc.nat(JOBS - 1);
const process = fc.nat(PROCESSES - 1);

const request: fc.Arbitrary<Event> = fc.record({
  kind: fc.constantFrom('mount' as const, 'mount' as const, 'unmount' as const),
  job,
  process,
});

const fault: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('hang up' as const), job }),
  fc.record({
    kind: fc.constant('network' as const),
    fault: fc.constantFrom<NetworkFault>(
      'command lost',
      'reply lost',
      'reply late',
      'delivered twice',
      'command late',
    ),
  }),
  fc.record({
    kind: fc.constant('database' as const),
    fault: fc.constantFrom<DatabaseFault>(
      'begin',
      'commit lost',
      'commit unknown, done',
      'commit unknown, undone',
    ),
  }),
  fc.record({
    kind: fc.constant('node' as const),
    fault: fc.constantFrom<NodeFault>('mount fails', 'busy', 'hangs and acts', 'hangs and dies', 'no room'),
  }),
  fc.record({ kind: fc.constantFrom('kill' as const, 'pause' as const), process }),
  fc.record({
    kind: fc.constant('clock' as const),
    writer: process,
    byMs: fc.constantFrom(-HOUR_MS, HOUR_MS),
  }),
  fc.record({
    kind: fc.constantFrom(
      'reboot' as const,
      'lose memory' as const,
      'daemon dies' as const,
      'server crash' as const,
    ),
  }),
);

/** Times at which something is under way: a transaction, a command, a lease, a deadline, a timer. */
const passing = fc.constantFrom(0, 1, 3, 8, 40, 305, 320, 1_200, 5_000, 11_000, 21_000);

export const histories: fc.Arbitrary<History> = fc.array(
  fc.record({
    event: fc.oneof({ weight: 3, arbitrary: request }, { weight: 2, arbitrary: fault }),
    thenMs: passing,
  }),
  { minLength: 1, maxLength: 12 },
);

/** A history in words. */
export function tell(history: History): string {
  return history
    .map(({ event, thenMs }, index) => `  ${index + 1}. ${sentence(event)}; ${thenMs} ms pass`)
    .join('\n');
}

function sentence(event: Event): string {
  switch (event.kind) {
    case 'mount':
    case 'unmount':
      return `job ${event.job + 1} asks process ${event.process + 1} for the ${event.kind}`;
    case 'hang up':
      return `job ${event.job + 1} hangs up`;
    case 'network':
      return `the next command: ${event.fault}`;
    case 'database':
      return `the next transaction: ${event.fault}`;
    case 'node':
      return `the next mount or unmount on the node: ${event.fault}`;
    case 'kill':
      return `process ${event.process + 1} is killed, and another takes its place`;
    case 'pause':
      return `process ${event.process + 1} stops for 12 s`;
    case 'clock':
      return `the clock of database node ${event.writer + 1} is set ${event.byMs < 0 ? 'back' : 'forward'} by an hour`;
    case 'reboot':
      return 'the node reboots';
    case 'lose memory':
      return 'dms-server is started again without its run directory';
    case 'daemon dies':
      return 'the FUSE daemon dies';
    case 'server crash':
      return 'dms-server is killed, and is up again after 3 s';
  }
}
