import fc from 'fast-check';
import { parseLayersAt, parseMountinfo, parseMountinfoLine } from './mountinfo';

describe('mountinfo', () => {
  it('reads a line with optional fields', () => {
    const line =
      '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue';
    expect(parseMountinfoLine(line)).toEqual({
      mntId: 36,
      parentId: 35,
      device: '98:0',
      root: '/mnt1',
      mountPath: '/mnt2',
      deleted: false,
      options: ['rw', 'noatime'],
      fstype: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    });
  });

  it('resolves octal escapes and the mark of a removed directory', () => {
    const [entry] = parseMountinfo(
      '42 27 0:39 / /a\\040b\\011c\\012d\\134e//deleted rw - fuse.s3fs Trilio\\040Vault rw\n',
    );
    expect(entry).toMatchObject({ mountPath: '/a b\tc\nd\\e', deleted: true, source: 'Trilio Vault' });
  });

  it('passes over lines that are not whole', () => {
    expect(parseMountinfo('nonsense\n1 2 0:3 / /a rw - tmpfs tmpfs rw\n4 5 0:6 / /b rw - tmp')).toHaveLength(
      1,
    );
  });

  it('finds all layers at exactly one path, whatever it holds', () => {
    const anyPath = fc.array(
      fc.string({ unit: fc.constantFrom('a', ' ', '\t', '\n', '\\', '-', 'é'), minLength: 1 }),
      {
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(anyPath, (names) => {
        const path = `/${names.join('/')}`;
        const written = path.replace(
          /[ \t\n\\]/g,
          (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
        );
        const text = [
          `1 0 0:1 / ${written}x rw - tmpfs tmpfs rw`,
          `2 0 0:2 / ${written} rw - tmpfs lower rw`,
          `3 0 0:3 ${written} /elsewhere rw - tmpfs tmpfs rw`,
          `4 2 0:4 / ${written} rw - tmpfs upper rw`,
          '',
        ].join('\n');
        expect(parseLayersAt(text, path).map(({ source }) => source)).toEqual(['lower', 'upper']);
      }),
    );
  });

  it('reads 50 000 entries in bounded time', () => {
    const lines = Array.from(
      { length: 50_000 },
      (_, n) => `${n} 1 0:${n} / /base/target\\040${n} rw,nosuid - nfs4 server:/export/${n} rw,vers=4.2`,
    );
    const text = `${lines.join('\n')}\n`;
    const began = performance.now();
    expect(parseMountinfo(text)).toHaveLength(50_000);
    expect(parseLayersAt(text, '/base/target 49999')).toHaveLength(1);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
