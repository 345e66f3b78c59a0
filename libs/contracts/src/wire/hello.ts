import { hostProblem } from '../rules/identifiers';
import { mountPathProblem } from '../rules/mount-path';
import { steers } from '../rules/plain-text';
import { asTroubledMounts, type TroubledMount } from './event';
import { isCommandQueueOf } from './names';
import { asPublicKey, type PublicKey } from './public-key';

/** What every node says every two seconds and before it takes its first command. */
export interface Hello {
  readonly node: string;
  /** Random id of the node's fence memory; a new one after a reboot or a lost run directory. */
  readonly incarnation: string;
  readonly boot_id: string;
  readonly protocol: number;
  /** Version of the program. */
  readonly version: string;
  /** Directories below which this node mounts. */
  readonly bases: readonly string[];
  /** Grows whenever the node's mount table changed. */
  readonly mount_table_version: number;
  /** Tokens for this node are sealed to it; null: they travel in clear. */
  readonly public_key: PublicKey<'X25519'> | null;
  /** Its hellos and events are signed with it; null: they are not signed. */
  readonly signing_key: PublicKey<'Ed25519'> | null;
  /** Its replies are signed with that key, too, without exception. Absent in older programs, which sign none. */
  readonly signs_replies?: boolean;
  /** The last one: the server stops. It says nothing about its mounts, which stay. */
  readonly leaving?: boolean;
  /** The ledger of which something is mounted: another one's commands are refused. Absent: whichever comes is served. */
  readonly ledger?: string;
  /** The node's own queue on its present connection; absent: commands go to `dms.<node>` (older programs). */
  readonly command_queue?: string;
  /** True: the node does not consume `dms.<node>`, so legacy callers do not reach it. */
  readonly legacy_queue_lost?: boolean;
  /** The node's monotonic clock in milliseconds. It runs from the boot, and commands name it: see EnvelopeDto. */
  readonly clock_ms?: number;
  /** What keeps the node from carrying out any command, in words, MAX_PROBLEM_LENGTH at most; absent: nothing. */
  readonly problem?: string;
  /**
   * Ids of the keys of the clients whose commands the node obeys; it refuses all others. Absent: it obeys unsigned
   * commands too, or there are more than MAX_TRUSTED_CLIENTS.
   */
  readonly trusted_clients?: readonly string[];
  /**
   * Mounts that the node sees vanished or broken now, MAX_TROUBLED_MOUNTS at most: of more, each hello names the next
   * ones. It repeats the events, which can be lost.
   */
  readonly troubled_mounts?: readonly TroubledMount[];
}

export const MAX_PROBLEM_LENGTH = 255;
export const MAX_TRUSTED_CLIENTS = 32;
const MAX_KEY_ID_LENGTH = 64;

const MAX_TEXT = 255;
const MAX_BASES = 64;

/** `value` as a hello, or null where it is none. Fields that this version does not know are left out. */
export function asHello(value: unknown): Hello | null {
  if (typeof value !== 'object' || value === null) return null;
  const hello = value as Partial<Hello>;
  const texts = [hello.incarnation, hello.boot_id, hello.version];
  const { node, incarnation, boot_id, protocol, version, bases, mount_table_version } = hello;
  const { ledger, signs_replies, command_queue, legacy_queue_lost, clock_ms, troubled_mounts } = hello;
  const { problem, trusted_clients, leaving } = hello;
  const troubled = asTroubledMounts(troubled_mounts);
  const publicKey = asPublicKey(hello.public_key, 'X25519');
  const signingKey = asPublicKey(hello.signing_key, 'Ed25519');
  // An older node publishes neither; one without the other is nothing.
  const keyless = (hello.public_key ?? null) === null && (hello.signing_key ?? null) === null;
  const fits =
    hostProblem(hello.node) === null &&
    texts.every(isPlain) &&
    Number.isInteger(hello.protocol) &&
    Number.isInteger(hello.mount_table_version) &&
    Array.isArray(hello.bases) &&
    hello.bases.length <= MAX_BASES &&
    hello.bases.every((base) => mountPathProblem(base) === null) &&
    (keyless || (publicKey !== null && signingKey !== null));
  if (!fits) return null;
  const keys = { public_key: publicKey, signing_key: signingKey };
  // Without a key nothing is signed, whatever is said.
  const signing = signs_replies === true && !keyless ? { signs_replies } : {};
  return {
    ...({ node, incarnation, boot_id, protocol, version, bases, mount_table_version } as Hello),
    ...keys,
    ...signing,
    ...(leaving === true ? { leaving } : {}),
    ...(isLedger(ledger) ? { ledger } : {}),
    // Nobody leads the commands for one node to the queue of another.
    ...(typeof command_queue === 'string' && isCommandQueueOf(node as string, command_queue)
      ? { command_queue }
      : {}),
    ...(legacy_queue_lost === true ? { legacy_queue_lost } : {}),
    ...(Number.isSafeInteger(clock_ms) ? { clock_ms } : {}),
    ...(isProblem(problem) ? { problem } : {}),
    ...(areKeyIds(trusted_clients) ? { trusted_clients } : {}),
    ...(troubled.length > 0 ? { troubled_mounts: troubled } : {}),
  };
}

function isProblem(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_PROBLEM_LENGTH;
}

function areKeyIds(value: unknown): value is string[] {
  const isKeyId = (id: unknown): boolean => typeof id === 'string' && id.length <= MAX_KEY_ID_LENGTH;
  return Array.isArray(value) && value.length <= MAX_TRUSTED_CLIENTS && value.every(isKeyId);
}

function isLedger(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT && !steers(value);
}
