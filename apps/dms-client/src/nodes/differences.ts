import {
  identifierProblem,
  type Inventory,
  type MountObservation,
  type NodeDifferenceDto,
} from '@app/contracts';
import { type LedgerMount } from './node-facts.repository';
import { type Looked } from './node-looks.service';

/** File systems that the Python system mounts. */
const MOUNTED_BY_PYTHON = /^(fuse|nfs)/;

/**
 * What the ledger says and the node sees, compared. The ledger is read before and after the node was asked: a target
 * that changed meanwhile, or is about to, is left out. What is found is a hint and decides nothing.
 */
export function differencesOf(
  before: ReadonlyMap<string, LedgerMount>,
  after: ReadonlyMap<string, LedgerMount>,
  { incarnation, seen: inventory, ledger }: Looked<Inventory>,
): NodeDifferenceDto[] {
  const settled = (targetId: string): boolean => {
    const [then, now] = [before.get(targetId), after.get(targetId)];
    return (
      then?.state === now?.state && then?.epoch === now?.epoch && !(isUnderWay(now) && !isTakenAway(now))
    );
  };
  const seen = new Map(inventory.mounts.map((mount) => [mount.backup_target_id, mount]));
  const targets = new Set([...after.keys(), ...seen.keys()]);
  const strangers = inventory.foreign.some(({ fstype }) => MOUNTED_BY_PYTHON.test(fstype));
  return [
    ...[...targets]
      .filter(settled)
      .flatMap((targetId) =>
        differenceOf(targetId, after.get(targetId), seen.get(targetId), { incarnation, ledger }),
      )
      .map((difference) => (strangers ? perhapsAStrangers(difference) : difference)),
    ...inventory.foreign.map(({ mount_path }): NodeDifferenceDto => {
      return {
        kind: 'foreign',
        backup_target_id: null,
        mount_path,
        ledger_state: null,
        node_state: 'foreign',
        problem: null,
      };
    }),
  ];
}

/**
 * Those that this ledger knows of: what a node has mounted of another ledger that it serves is no difference to ours. Of
 * what only Python programs have written it does not know which node was meant.
 */
export function ofThisLedger(differences: readonly NodeDifferenceDto[]): NodeDifferenceDto[] {
  return differences.filter(
    ({ kind, ledger_state }) =>
      kind === 'foreign' ||
      (ledger_state !== null && (kind === 'held_without_mount' || ledger_state !== 'ABSENT')),
  );
}

/** Who has ledger and nodes compared: a person at this moment, or the service by itself. */
export type Asker = 'person' | 'service';

/**
 * True where nothing may be done about the difference: it is a stranger's mount, what the jobs hold may be one, or a
 * Python program wrote a name that no node takes.
 *
 * The service leaves alone a mount that is ahead of the ledger: its holds are missing there, and jobs may need it.
 *
 * Where only a Python program has written a hold, its server may have mounted the target where no node of ours looks. That
 * the hold is not true is for a person to say.
 */
export function isOnlyTold(
  { kind, backup_target_id, ledger_state, node_state }: NodeDifferenceDto,
  by: Asker,
): boolean {
  if (kind === 'foreign') return true;
  if (kind === 'ahead_of_ledger' && by === 'service') return true;
  if (ledger_state !== null) return false;
  if (node_state === 'foreign' || identifierProblem(backup_target_id) !== null) return true;
  return kind === 'held_without_mount' && by === 'service';
}

/**
 * Where the ledger has no row it is not known where a Python server has mounted the target. As long as the node has
 * mounts that are strangers' to it, and may be such a server's, one of them may be what the jobs hold.
 */
function perhapsAStrangers(difference: NodeDifferenceDto): NodeDifferenceDto {
  const { kind, ledger_state, node_state } = difference;
  const concerned = kind === 'held_without_mount' && ledger_state === null && node_state !== 'broken';
  return concerned ? { ...difference, node_state: 'foreign' } : difference;
}

function isUnderWay(row: LedgerMount | undefined): boolean {
  return row?.state === 'MOUNTING' || row?.state === 'UNMOUNTING';
}

/** Of itself, for nobody has asked for it: that may go on for long. */
function isTakenAway(row: LedgerMount | undefined): boolean {
  return row?.state === 'UNMOUNTING' && row.unheld;
}

function differenceOf(
  targetId: string,
  row: LedgerMount | undefined,
  mount: MountObservation | undefined,
  { incarnation, ledger }: Pick<Looked<Inventory>, 'incarnation' | 'ledger'>,
): NodeDifferenceDto[] {
  const found = kindOf(row, mount, incarnation);
  if (found === null) return [];
  // A node that serves none was made to forget one: whoever comes next takes it over with all that is mounted.
  const isServed = ledger !== undefined;
  const kind = isServed && isUnknown(row) && isAhead(row, mount) ? 'ahead_of_ledger' : found;
  return [
    {
      kind,
      backup_target_id: targetId,
      mount_path: mount?.mount_path ?? row?.mountPath ?? null,
      ledger_state: row?.state ?? null,
      node_state: mount?.state ?? null,
      problem: kind === 'mount_without_binding' ? (row?.problem ?? null) : null,
    },
  ];
}

/** Each command has a new epoch of the ledger, which commits it first: a node is ahead only of a ledger that lost commits. */
function isAhead(row: LedgerMount | undefined, mount: MountObservation | undefined): boolean {
  if (mount === undefined || mount.state === 'absent' || mount.state === 'foreign') return false;
  return mount.epoch > (row?.epoch ?? 0);
}

/**
 * The ledger says nothing of a mount. Where it says something else than the node sees, that has to be settled: jobs join
 * what the ledger says.
 */
function isUnknown(row: LedgerMount | undefined): boolean {
  return row === undefined || (row.state === 'ABSENT' && row.held === 0);
}

function kindOf(
  row: LedgerMount | undefined,
  mount: MountObservation | undefined,
  incarnation: string,
): NodeDifferenceDto['kind'] | null {
  const state = mount?.state ?? 'absent';
  const concernsUs = state !== 'foreign' || row?.state === 'MOUNTED';
  if (mount !== undefined && concernsUs && mount.layers > 1) return 'stacked';
  // A Python client may write its hold after the mount was seen to be gone or broken.
  if ((row?.state === 'ABSENT' || row?.state === 'BROKEN') && row.held > 0) return 'held_without_mount';
  if (row?.state === null && (state === 'absent' || state === 'broken' || state === 'foreign'))
    return 'held_without_mount';
  if (row?.state === 'MOUNTED') {
    if (row.incarnation !== null && row.incarnation !== incarnation) return 'other_memory';
    if (state === 'mounted' && (mount === undefined || !sameMount(row, mount))) return 'other_mount';
    if (state === 'mounted') return row.unheld ? 'mount_without_binding' : null;
    if (state === 'foreign') return 'other_mount';
    if (state === 'unknown') return 'uncertain';
    return state === 'broken' ? 'broken' : 'not_mounted';
  }
  // The node says unknown while the unmount is under way.
  if (row?.state === 'UNMOUNTING')
    return mount === undefined || state === 'absent' ? null : 'mount_without_binding';
  if (row?.state === 'BROKEN' && row.unheld && state === 'broken') return 'mount_without_binding';
  if (state === 'unknown') return 'uncertain';
  // A row that is BROKEN, UNCERTAIN or STUCK says itself that something may stand.
  const ledgerSaysNothing = row === undefined || row.state === null || row.state === 'ABSENT';
  return ledgerSaysNothing && (state === 'mounted' || state === 'broken') ? 'not_in_ledger' : null;
}

/** What the ledger does not know, a Python server's mount for one, contradicts nothing. */
function sameMount(row: LedgerMount, mount: MountObservation): boolean {
  const samePath = row.mountPath === null || row.mountPath === mount.mount_path;
  return samePath && (row.mntId === null || row.mntId === mount.mnt_id);
}
