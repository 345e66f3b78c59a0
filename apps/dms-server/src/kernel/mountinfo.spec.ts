import fc from 'fast-check';
import { parseEntry, parseLayersAt, parseMountinfo, parseMountinfoLine } from './mountinfo';
import { withoutPlaceholders } from './placeholder';

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

  it('keeps a comma within an option in its option', () => {
    const [entry] = parseMountinfo(
      '42 27 0:39 / /a rw,nosuid - overlay over\\040lay rw,lowerdir=/x\\054y:/z\\040z,empty=,flag\n',
    );
    expect(entry.options).toEqual(['rw', 'nosuid']);
    expect(entry.superOptions).toEqual(['rw', 'lowerdir=/x,y:/z z', 'empty=', 'flag']);
    expect(entry.source).toBe('over lay');
  });

  it('finds an entry by its id and by nothing that only looks like it', () => {
    const text = [
      '12 1 0:1 / /first rw - t s rw',
      '112 12 0:2 / /x rw - t s rw',
      '2 1 0:3 / /y rw - t s rw',
      '',
    ].join('\n');
    expect([12, 112, 2].map((id) => parseEntry(text, id)?.mountPath)).toEqual(['/first', '/x', '/y']);
    expect([1, 11, 0, 21].map((id) => parseEntry(text, id))).toEqual([null, null, null, null]);
    expect(parseEntry('', 1)).toBeNull();
  });

  it('takes a time for 50 000 entries that grows with their number and not faster', () => {
    const tableOf = (size: number): string =>
      Array.from(
        { length: size },
        (_, n) => `${n} 1 0:${n} / /base/target\\040${n} rw,nosuid - nfs4 server:/export/${n} rw,vers=4.2\n`,
      ).join('');
    /** The best of several, so that a pause of the machine does not count. */
    const timeOf = (text: string, size: number): number => {
      const times = Array.from({ length: 5 }, () => {
        const began = performance.now();
        expect(withoutPlaceholders(parseMountinfo(text))).toHaveLength(size);
        expect(parseLayersAt(text, `/base/target ${size - 1}`)).toHaveLength(1);
        return performance.now() - began;
      });
      return Math.min(...times);
    };
    const small = timeOf(tableOf(5_000), 5_000);
    // Ten times as many; a time that grew with the square would be a hundred times as long.
    expect(timeOf(tableOf(50_000), 50_000) / small).toBeLessThan(50);
  });
});
