import { chmod, chown, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessProblemOf, baseAccessOf } from './base-access';
import { prepareBase } from './guarded-path';

const GROUP = 4711;
const FOREIGN = 4712;
const isRoot = process.getuid?.() === 0;

(isRoot ? describe : describe.skip)('the access to a base (as root)', () => {
  let directory: string;
  let base: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'access-'));
    base = join(directory, 'base');
  });

  afterEach(() => rm(directory, { recursive: true }));

  const accessOf = async (): Promise<string> => {
    const { uid, gid, mode } = await stat(base);
    return `${uid}:${gid} ${(mode & 0o777).toString(8)}`;
  };

  it.each([
    [0, 0o770, '0:0 750'],
    [GROUP, 0o770, '0:4711 750'],
    [GROUP, 0o750, '0:4711 750'],
    [GROUP, 0o775, '0:4711 755'],
  ])(
    'is that of the settings if dms-server makes the base (group %i, mode %o)',
    async (group, mode, wanted) => {
      const access = baseAccessOf({ mountGroup: group, mountMode: mode });
      await prepareBase(base, access);
      expect(await accessOf()).toBe(wanted);
      expect(await accessProblemOf(base, access)).toBeNull();
    },
  );

  it.each([
    [0, 0o755, 0, 'users outside of DMS_MOUNT_GROUP reach the mounts'],
    [FOREIGN, 0o750, 0, 'users outside of DMS_MOUNT_GROUP reach the mounts'],
    [0, 0o750, GROUP, 'the group of DMS_MOUNT_GROUP does not reach the mounts'],
    [GROUP, 0o700, GROUP, 'the group of DMS_MOUNT_GROUP does not reach the mounts'],
  ])(
    'stays as somebody else has made it (group %i, mode %o), and is told with the remedy',
    async (gid, mode, group, words) => {
      await mkdir(base);
      await chmod(base, mode);
      await chown(base, 0, gid);
      const before = await accessOf();
      const access = baseAccessOf({ mountGroup: group, mountMode: 0o770 });
      await prepareBase(base, access);
      expect(await accessOf()).toBe(before);
      expect(await accessProblemOf(base, access)).toEqual({
        problem: expect.stringContaining(words) as string,
        remedy: `chgrp ${group} ${base} && chmod 750 ${base}`,
      });
    },
  );

  it('is no problem where it is narrower than the settings and root alone is to come in', async () => {
    await mkdir(base, { mode: 0o700 });
    expect(await accessProblemOf(base, baseAccessOf({ mountGroup: 0, mountMode: 0o770 }))).toBeNull();
  });
});
