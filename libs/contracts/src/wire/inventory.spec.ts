import { asInventory, type Inventory } from './inventory';

const MOUNT = {
  state: 'mounted',
  mounted: true,
  children_left: 0,
  backup_target_id: 't1',
  epoch: 3,
  users: [{ pid: 1, command: 'tar', path: null }],
};
const FOREIGN = { mount_path: '/base/x', source: 'tmpfs', fstype: 'tmpfs', mnt_id: 7 };
const PROCESS = { backup_target_id: 't1', mount_path: '/base/t1', pid: 42, alive: true };
const WHOLE = { mounts: [MOUNT], foreign: [FOREIGN], processes: [PROCESS] };

describe('an inventory', () => {
  it('is read whole', () => {
    expect(asInventory(WHOLE)).toEqual(WHOLE);
    expect(asInventory({ mounts: [], foreign: [], processes: [] })).not.toBeNull();
  });

  it.each<[string, unknown]>([
    ['a mount that is null', { ...WHOLE, mounts: [MOUNT, null] }],
    ['a mount without a state', { ...WHOLE, mounts: [{ ...MOUNT, state: 'gone' }] }],
    ['a user that is a text', { ...WHOLE, mounts: [{ ...MOUNT, users: ['tar'] }] }],
    ['a foreign mount without a path', { ...WHOLE, foreign: [{ ...FOREIGN, mount_path: undefined }] }],
    ['a foreign mount that is a list', { ...WHOLE, foreign: [[]] }],
    ['a process without a number', { ...WHOLE, processes: [{ ...PROCESS, pid: '42' }] }],
    ['no list of mounts', { ...WHOLE, mounts: {} }],
    ['a part that is missing', { mounts: [], foreign: [] } satisfies Partial<Inventory>],
    ['nothing', null],
    ['a text', 'mounts'],
  ])('is none with %s', (_what, value) => {
    expect(asInventory(value)).toBeNull();
  });
});
