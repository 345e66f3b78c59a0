import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
/** The last version that has no support any more, by the calendar of Node.js. */
const ENDED = 20;

describe('the versions of Node.js', () => {
  const majors = [...engines.node.matchAll(/\^(\d+)\./g)].map(([, major]) => Number(major));
  const ofImage = /^ARG NODE_IMAGE=node:((\d+)\S*)$/m.exec(read('docker/Dockerfile'));

  it('that engines names are those that are tested', () => {
    expect(majors).toEqual([20, 22, 24]);
    for (const major of majors) expect(read('README.md')).toMatch(new RegExp(`Node\\.js .*\\b${major}\\b`));
  });

  it('of the images is one that is tested and still supported, and the same with compose', () => {
    expect(majors).toContain(Number(ofImage?.[2]));
    expect(Number(ofImage?.[2])).toBeGreaterThan(ENDED);
    expect(read('docker/compose.yaml')).toContain(`\${NODE_IMAGE:-node:${ofImage?.[1]}}`);
  });

  it('of the lock file are those of package.json', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { engines?: { node: string } }>;
    };
    expect(lock.packages[''].engines).toEqual(engines);
  });
});
