import { type Inventory, type MountObservation } from '@app/contracts';
import { differencesOf, isOnlyTold, ofThisLedger } from './differences';
import { type LedgerMount } from './node-facts.repository';

const PATH = '/base/t';

function row(change: Partial<LedgerMount> = {}): Map<string, LedgerMount> {
  return new Map([
    [
      't',
      {
        targetId: 't',
        state: 'MOUNTED',
        epoch: 1,
        mountPath: PATH,
        mntId: 7,
        incarnation: 'i',
        held: 1,
        unheld: false,
        problem: null,
        ...change,
      },
    ],
  ]);
}

function inventory(...mounts: Partial<MountObservation>[]): Inventory {
  const seen = { state: 'mounted', backup_target_id: 't', mount_path: PATH, mnt_id: 7, layers: 1 };
  return {
    mounts: mounts.map((mount) => ({ ...seen, ...mount }) as MountObservation),
    foreign: [],
    processes: [],
  };
}

function kinds(
  rows: Map<string, LedgerMount>,
  seen: Inventory,
  before = rows,
  ledger: string | undefined = 'ours',
): string[] {
  return differencesOf(before, rows, { incarnation: 'i', seen, ledger }).map(({ kind }) => kind);
}

describe('differences between ledger and node', () => {
  it('are none where both say the same', () => {
    expect(kinds(row(), inventory({}))).toEqual([]);
    expect(kinds(row({ state: 'ABSENT', held: 0 }), inventory())).toEqual([]);
    expect(kinds(row({ state: 'ABSENT', held: 0 }), inventory({ state: 'absent' }))).toEqual([]);
  });

  it('tell a mount that the node does not see, or sees dead', () => {
    expect(kinds(row(), inventory())).toEqual(['not_mounted']);
    expect(kinds(row(), inventory({ state: 'absent' }))).toEqual(['not_mounted']);
    expect(kinds(row(), inventory({ state: 'foreign' }))).toEqual(['other_mount']);
    expect(kinds(row(), inventory({ state: 'broken' }))).toEqual(['broken']);
  });

  it('tell another mount, by its path or its id', () => {
    expect(kinds(row(), inventory({ mount_path: '/base/u' }))).toEqual(['other_mount']);
    expect(kinds(row(), inventory({ mnt_id: 8 }))).toEqual(['other_mount']);
    expect(kinds(row({ mntId: null }), inventory({ mnt_id: 8 }))).toEqual([]);
  });

  it('tell a mount that was made for another memory of the node, and one that has several layers', () => {
    expect(kinds(row({ incarnation: 'former' }), inventory({}))).toEqual(['other_memory']);
    expect(kinds(row(), inventory({ layers: 2 }))).toEqual(['stacked']);
  });

  it('tell jobs that hold what is not mounted', () => {
    expect(kinds(row({ state: 'ABSENT', held: 1 }), inventory())).toEqual(['held_without_mount']);
    const broken = inventory({ state: 'broken' });
    expect(kinds(row({ state: 'BROKEN', held: 1 }), broken)).toEqual(['held_without_mount']);
    expect(kinds(row({ state: 'BROKEN', held: 0 }), broken)).toEqual([]);
  });

  describe('of a target that is held and has no row', () => {
    const held = row({ state: null, epoch: 0, mountPath: null, mntId: null, incarnation: null, held: 1 });
    const told = (seen: Inventory) =>
      differencesOf(held, held, { incarnation: 'i', seen }).filter(({ kind }) => kind !== 'foreign');

    it('tell that nothing is mounted, or that it is broken', () => {
      expect(kinds(held, inventory())).toEqual(['held_without_mount']);
      expect(kinds(held, inventory({ state: 'absent' }))).toEqual(['held_without_mount']);
      expect(kinds(held, inventory({ state: 'broken' }))).toEqual(['held_without_mount']);
      const [difference] = told(inventory());
      expect([isOnlyTold(difference, 'person'), isOnlyTold(difference, 'service')]).toEqual([false, true]);
    });

    it('tell a mount that stands as one to be taken into the ledger, and what the node cannot say as such', () => {
      expect(kinds(held, inventory({}))).toEqual(['not_in_ledger']);
      expect(kinds(held, inventory({ state: 'unknown' }))).toEqual(['uncertain']);
    });

    it('leave out what was written while the node was asked, and what has got its row meanwhile', () => {
      expect(kinds(held, inventory(), new Map())).toEqual([]);
      expect(kinds(row({ state: 'ABSENT', epoch: 0 }), inventory(), held)).toEqual([]);
    });

    it.each(['fuse', 'fuse.s3vaultfuse', 'nfs', 'nfs4'])(
      'do nothing while a stranger of type %s is on the node, which a Python server may have mounted for it',
      (fstype) => {
        const foreign = [{ mount_path: '/base/x', source: 'x', fstype, mnt_id: 9 }];
        const [difference] = told({ ...inventory(), foreign });
        expect(difference).toMatchObject({ kind: 'held_without_mount', node_state: 'foreign' });
        expect(isOnlyTold(difference, 'person')).toBe(true);
        const broken = told({ ...inventory({ state: 'broken' }), foreign });
        expect(broken.map((difference) => isOnlyTold(difference, 'person'))).toEqual([false]);
      },
    );

    it('are not hindered by a stranger that the Python system cannot have mounted', () => {
      const foreign = [{ mount_path: '/base/x', source: 'x', fstype: 'ext4', mnt_id: 9 }];
      expect(told({ ...inventory(), foreign }).map((difference) => isOnlyTold(difference, 'person'))).toEqual(
        [false],
      );
    });

    it('do nothing about a name that no node takes', () => {
      const rows = new Map([['a/b', { ...(held.get('t') as LedgerMount), targetId: 'a/b' }]]);
      const [difference] = differencesOf(rows, rows, { incarnation: 'i', seen: inventory() });
      expect(difference).toMatchObject({ kind: 'held_without_mount', backup_target_id: 'a/b' });
      expect(isOnlyTold(difference, 'person')).toBe(true);
    });

    it('are none of this ledger where the node serves another one', () => {
      const differences = told(inventory());
      expect(ofThisLedger(differences)).toEqual([]);
      const known = row({ state: 'ABSENT' });
      const ours = differencesOf(known, known, { incarnation: 'i', seen: inventory() });
      expect(ofThisLedger(ours)).toHaveLength(1);
    });
  });

  it('tell a mount that the ledger does not know', () => {
    expect(kinds(new Map(), inventory({}))).toEqual(['not_in_ledger']);
    expect(kinds(row({ state: 'ABSENT', held: 0 }), inventory({ state: 'broken' }))).toEqual([
      'not_in_ledger',
    ]);
    expect(kinds(row({ state: 'UNCERTAIN' }), inventory({}))).toEqual([]);
  });

  it('tell a mount of a later command than the ledger knows, which the service leaves alone', () => {
    const later = inventory({ epoch: 2, mnt_id: 8 });
    const ahead = ['ahead_of_ledger'];
    expect(kinds(new Map(), later)).toEqual(ahead);
    expect(kinds(row({ state: 'ABSENT', held: 0 }), later)).toEqual(ahead);
    // Whether it is well is asked when somebody needs it: it may be that it cannot be said just now.
    for (const state of ['unknown', 'broken'] as const)
      expect(kinds(new Map(), inventory({ epoch: 2, state }))).toEqual(ahead);
    // Jobs join what the ledger says: what it says wrongly is settled, and its jobs are told.
    expect(kinds(row({ state: 'ABSENT', held: 1 }), later)).toEqual(['held_without_mount']);
    expect(kinds(row(), later)).toEqual(['other_mount']);
    expect(kinds(row({ incarnation: 'older' }), later)).toEqual(['other_memory']);
    expect(kinds(row({ state: 'ABSENT', held: 0, epoch: 2 }), later)).toEqual(['not_in_ledger']);
    expect(kinds(row({ epoch: 2 }), later)).toEqual(['other_mount']);
    // What agrees, and what is gone, is as it was.
    expect(kinds(row(), inventory({ epoch: 2 }))).toEqual([]);
    expect(kinds(row(), inventory({ epoch: 2, state: 'absent' }))).toEqual(['not_mounted']);
    const looked = { incarnation: 'i', seen: later, ledger: 'ours' };
    const [difference] = differencesOf(new Map(), new Map(), looked);
    expect([isOnlyTold(difference, 'service'), isOnlyTold(difference, 'person')]).toEqual([true, false]);
  });

  it('tell a mount of a ledger that the node was made to forget, which the next one takes over', () => {
    const looked = { incarnation: 'i', seen: inventory({ epoch: 2 }) };
    expect(differencesOf(new Map(), new Map(), looked)).toMatchObject([{ kind: 'not_in_ledger' }]);
  });

  it('tell what the node cannot say', () => {
    expect(kinds(row(), inventory({ state: 'unknown' }))).toEqual(['uncertain']);
  });

  it('leave out what changes at the moment', () => {
    expect(kinds(row(), inventory(), row({ epoch: 2 }))).toEqual([]);
    expect(kinds(row(), inventory(), row({ state: 'MOUNTING' }))).toEqual([]);
    expect(kinds(row({ state: 'UNMOUNTING' }), inventory({}))).toEqual([]);
    expect(kinds(row(), inventory(), new Map())).toEqual([]);
  });

  it('tell a mount that nobody holds and that does not go, and why', () => {
    const unheld = { held: 0, unheld: true, problem: 'PID 4711 (bash) uses it' };
    const told = (state: LedgerMount['state'], ...mounts: Partial<MountObservation>[]) => {
      const rows = row({ ...unheld, state });
      return differencesOf(rows, rows, { incarnation: 'i', seen: inventory(...mounts) });
    };
    const problem = { kind: 'mount_without_binding', problem: 'PID 4711 (bash) uses it' };
    expect(told('MOUNTED', {})).toMatchObject([problem]);
    expect(told('UNMOUNTING', { state: 'unknown' })).toMatchObject([problem]);
    expect(told('BROKEN', { state: 'broken' })).toMatchObject([problem]);
    // Just gone, or of another kind.
    expect(told('UNMOUNTING')).toEqual([]);
    expect(told('ABSENT')).toEqual([]);
    expect(told('MOUNTED', { mnt_id: 8 })).toMatchObject([{ kind: 'other_mount', problem: null }]);
    expect(kinds(row({ ...unheld, state: 'MOUNTED' }), inventory({}), row({ ...unheld, epoch: 2 }))).toEqual(
      [],
    );
  });

  it("tell strangers' mounts", () => {
    const foreign = [{ mount_path: '/base/x', source: 'x', fstype: 'ext4', mnt_id: 9 }];
    const seen = { mounts: [], foreign, processes: [] };
    expect(differencesOf(new Map(), new Map(), { incarnation: 'i', seen })).toEqual([
      {
        kind: 'foreign',
        backup_target_id: null,
        mount_path: '/base/x',
        ledger_state: null,
        node_state: 'foreign',
        problem: null,
      },
    ]);
  });
});
