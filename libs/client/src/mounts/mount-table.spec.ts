import { mountOf, parseMountTable } from './mount-table';

const TABLE = parseMountTable(
  [
    '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '30 20 0:30 / /base/a rw - fuse.s3fs TrilioVault rw',
    '31 20 0:31 / /base/with\\040space rw - nfs4 server:/a rw',
    '32 30 0:32 / /base/a rw - fuse.s3fs TrilioVault rw',
    '40 20 0:40 / /hidden/b rw - fuse.s3fs TrilioVault rw',
    '41 20 0:41 / /hidden rw - tmpfs tmpfs rw',
    '',
  ].join('\n'),
);

describe('the mount that a path leads to', () => {
  it.each([
    ['/base/a', '0:32', 'the topmost of several layers'],
    ['/base/a/below', '0:32', 'also for what is below'],
    ['/base/ab', '8:1', 'not that of a name that begins alike'],
    ['/base/with space', '0:31', 'with what stands escaped in the table'],
    ['/hidden/b', '0:41', 'not what another mount hides'],
    ['/', '8:1', 'the root'],
  ])('%s: %s, %s', (path, device) => {
    expect(mountOf(path, TABLE)?.device).toBe(device);
  });
});
