import { type Inventory, type MountObservation } from '@app/contracts';
import { differencesOf } from './differences';
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

function kinds(rows: Map<string, LedgerMount>, seen: Inventory, before = rows): string[] {
  return differencesOf(before, rows, { incarnation: 'i', seen }).map(({ kind }) => kind);
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

  it('tell a mount that the ledger does not know', () => {
    expect(kinds(new Map(), inventory({}))).toEqual(['not_in_ledger']);
    expect(kinds(row({ state: 'ABSENT', held: 0 }), inventory({ state: 'broken' }))).toEqual([
      'not_in_ledger',
    ]);
    expect(kinds(row({ state: 'UNCERTAIN' }), inventory({}))).toEqual([]);
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
      },
    ]);
  });
});
