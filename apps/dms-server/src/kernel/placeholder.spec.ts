import { type MountEntry } from './mount-table.interface';
import { parseMountinfo } from './mountinfo';
import { withoutPlaceholders } from './placeholder';

/** The mountpoints that are left of a table without its placeholders. */
function left(...lines: readonly string[]): string[] {
  const table: MountEntry[] = parseMountinfo(`${lines.join('\n')}\n`);
  return withoutPlaceholders(table).map(({ mntId, mountPath }) => `${mntId} ${mountPath}`);
}

const ROOT = '1 0 8:1 / / rw - ext4 /dev/sda1 rw';

describe('placeholders', () => {
  it('are read-only mounts of a directory on itself', () => {
    expect(left(ROOT, '2 1 8:1 /base/t1 /base/t1 ro,nosuid - ext4 /dev/sda1 rw')).toEqual(['1 /']);
    const base = '2 1 0:40 / /base rw - ramfs none rw';
    expect(left(ROOT, base, '3 2 0:40 /a/t1 /base/a/t1 ro - ramfs none rw')).toEqual(['1 /', '2 /base']);
    const bound = '2 1 8:1 /srv/disk /base rw - ext4 /dev/sda1 rw';
    expect(left(ROOT, bound, '3 2 8:1 /srv/disk/t1 /base/t1 ro - ext4 /dev/sda1 rw')).toEqual([
      '1 /',
      '2 /base',
    ]);
  });

  it('leave what is mounted over them', () => {
    expect(
      left(
        ROOT,
        '2 1 8:1 /base/t1 /base/t1 ro - ext4 /dev/sda1 rw',
        '3 2 0:50 / /base/t1 rw - fuse.s3fs TrilioVault rw',
      ),
    ).toEqual(['1 /', '3 /base/t1']);
  });

  it('can be written to while they are being made', () => {
    const table = parseMountinfo(
      [
        ROOT,
        '2 1 8:1 /base/t1 /base/t1 rw - ext4 /dev/sda1 rw',
        '3 1 8:1 /base/t2 /base/t2 rw - ext4 /dev/sda1 rw',
        '4 1 0:50 / /base/t1 rw - nfs4 server:/x rw',
        '',
      ].join('\n'),
    );
    const left = withoutPlaceholders(table, new Set(['/base/t1']));
    expect(left.map(({ mntId }) => mntId)).toEqual([1, 3, 4]);
  });

  it.each([
    ['can be written to', '2 1 8:1 /base/t1 /base/t1 rw - ext4 /dev/sda1 rw'],
    ['shows another directory', '2 1 8:1 /base/t2 /base/t1 ro - ext4 /dev/sda1 ro'],
    ['is of another file system', '2 1 8:2 /base/t1 /base/t1 ro - ext4 /dev/sdb1 ro'],
    ['has no parent in this table', '2 9 8:1 /base/t1 /base/t1 ro - ext4 /dev/sda1 ro'],
  ])('are not what %s', (_name, line) => {
    expect(left(ROOT, line)).toEqual(['1 /', '2 /base/t1']);
  });
});
