import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asHello } from './hello';

const GOLDEN = JSON.parse(readFileSync(join(__dirname, '../../golden/hello.json'), 'utf8')) as object;

describe('a hello', () => {
  it('is read as the golden file has it', () => {
    expect(asHello(GOLDEN)).toEqual(GOLDEN);
  });

  it('holds nothing that is not known: it is kept for each node', () => {
    expect(asHello({ ...GOLDEN, ballast: 'x'.repeat(100_000), leaving: 'x'.repeat(100_000) })).toEqual(
      GOLDEN,
    );
  });

  it.each<[string, object]>([
    ['a node whose name colours a terminal', { node: 'gh\u001b[31mx' }],
    ['a node whose name is a path', { node: '../x' }],
    ['a node without a name', { node: '' }],
    ['a version of two lines', { version: '1.0\n2.0' }],
    ['a version that is read backwards', { version: '1\u202e0' }],
    ['an incarnation that is a list', { incarnation: ['x'] }],
    ['a base that is no path', { bases: ['base'] }],
    ['a base that climbs', { bases: ['/a/../etc'] }],
    ['more bases than any node has', { bases: Array.from({ length: 65 }, (_, index) => `/b${index}`) }],
  ])('is none with %s', (_what, changes) => {
    expect(asHello({ ...GOLDEN, ...changes })).toBeNull();
  });
});
