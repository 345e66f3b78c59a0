import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';

/** Rows of the table: package, use, alternatives. */
function rows(): string[][] {
  return readFileSync(join(ROOT, 'docs/DEPENDENCIES.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('docs/DEPENDENCIES.md', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };

  it('has a line for each package that is needed at run time, in their order, and for no other', () => {
    const named = rows().map(([name]) => name.replaceAll('`', ''));
    expect(named).toEqual(Object.keys(dependencies).sort());
  });

  it('says of each what it is for and what was considered instead', () => {
    const thin = rows().filter((row) => row.length !== 3 || row.some((cell) => cell.length < 3));
    expect(thin).toEqual([]);
  });
});

describe('scripts/audit.mjs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dms-audit-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  /** With a program in the place of npm that says this. */
  function audit(said: string): { status: number | null; words: string } {
    writeFileSync(join(directory, 'said'), said);
    writeFileSync(join(directory, 'npm'), `#!/bin/sh\ncat '${directory}/said'\nexit 1\n`, { mode: 0o755 });
    const env = { PATH: `${directory}:/usr/bin:/bin` };
    const script = join(ROOT, 'scripts/audit.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env, encoding: 'utf8' });
    return { status, words: stdout + stderr };
  }
  const report = (severity: string): string => {
    const none = { info: 0, low: 0, moderate: 0, high: 0, critical: 0 };
    const vulnerabilities = { thing: { name: 'thing', severity, range: '<2.0.0' } };
    return JSON.stringify({ vulnerabilities, metadata: { vulnerabilities: { ...none, [severity]: 1 } } });
  };

  it.each([
    ['a registry without the endpoint', JSON.stringify({ statusCode: 405, message: 'Not allowed' }), '405'],
    ['no network', JSON.stringify({ error: { code: 'ENOTFOUND', summary: 'no' } }), 'ENOTFOUND'],
    ['no JSON', 'npm error', 'no answer'],
  ])('says with %s that nothing is known, and fails nobody', (_, said, reason) => {
    const { status, words } = audit(said);
    expect([status, words]).toEqual([0, expect.stringContaining(`NOT LOOKED FOR`)]);
    expect(words).toContain(reason);
  });

  it.each(['high', 'critical'])('fails at a weakness that is %s', (severity) => {
    expect(audit(report(severity))).toEqual({
      status: 1,
      words: expect.stringContaining(`thing <2.0.0: ${severity}`) as string,
    });
  });

  it('tells of a moderate one', () => {
    expect(audit(report('moderate'))).toEqual({
      status: 0,
      words: expect.stringContaining('1 moderate') as string,
    });
  });
});
