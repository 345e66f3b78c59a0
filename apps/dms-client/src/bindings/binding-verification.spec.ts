import { type BindingDto, type MountObservation } from '@app/contracts';
import { type BindingView } from './bindings.repository';
import { verifiedMount } from './binding-verification.service';

const PATH = '/base/t';

/** Whether ledger and node agree about a binding. */
function agrees(
  state: BindingDto['state'],
  mount_state: BindingDto['mount_state'],
  seen: MountObservation['state'],
): boolean | null {
  const binding = { state, mount_state, mount_path: PATH } as BindingDto;
  const view: BindingView = { binding, type: 's3', source: null, incarnation: 'i', mntId: 7 };
  const mount = { state: seen, mount_path: PATH, mnt_id: 7 } as MountObservation;
  return verifiedMount(view, { incarnation: 'i', seen: mount }).agrees;
}

describe('a binding and what its node sees', () => {
  it.each<[BindingDto['state'], BindingDto['mount_state'], MountObservation['state'], boolean | null]>([
    ['held', 'MOUNTED', 'mounted', true],
    ['held', 'MOUNTED', 'absent', false],
    // A binding that a Python program wrote, of a target that the ledger has no row for, is shown as UNCERTAIN.
    ['held', 'UNCERTAIN', 'absent', false],
    ['held', 'ABSENT', 'absent', false],
    ['held', 'BROKEN', 'broken', false],
    ['released', 'ABSENT', 'absent', true],
    ['lost', 'ABSENT', 'absent', true],
    ['lost', 'ABSENT', 'mounted', false],
    ['held', 'MOUNTED', 'unknown', null],
  ])('%s, %s, and %s on the node: %s', (state, ledger, node, expected) => {
    expect(agrees(state, ledger, node)).toBe(expected);
  });
});
