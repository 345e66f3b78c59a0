import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const ENTRIES = Object.entries(scripts).filter(([, command]) => command.includes('node scripts/'));

/** Starts a program by scripts/run.mjs that says which signals it gets, and ends with 7 after the first. */
const RUNNER = `
import { run } from ${JSON.stringify(join(ROOT, 'scripts/run.mjs'))};
process.exitCode = await run(process.execPath, ['-e', \`
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => { console.log('got ' + signal); setTimeout(() => process.exit(7), 100); });
  setTimeout(() => process.exit(1), 30_000);
  console.log('runs');
\`]);
`;

describe('the commands of package.json', () => {
  it.each(ENTRIES)('%s is the shell’s only process: npm passes signals on to that alone', (_, command) => {
    expect(command).toMatch(/^exec node scripts\//);
  });

  it.each([['--node'], ['--node', 'soon']])(
    'npm run check names what is wrong with the version of Node.js: %s %s',
    (...args) => {
      const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/check.mjs'), ...args], {
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: '--node: must be followed by a major version of Node.js, e.g. --node 24\n',
      });
    },
  );

  it('end with what npm said where it could not install the packages, and with no stack', async () => {
    const checkout = mkdtempSync(join(tmpdir(), 'dms-checkout-'));
    try {
      for (const name of ['scripts', 'bin']) mkdirSync(join(checkout, name));
      for (const name of ['demo.mjs', 'packages.mjs'])
        copyFileSync(join(ROOT, 'scripts', name), join(checkout, 'scripts', name));
      writeFileSync(
        join(checkout, 'package-lock.json'),
        '{"packages":{"node_modules/a":{"version":"1.0.0"}}}',
      );
      writeFileSync(join(checkout, 'bin/npm'), '#!/bin/sh\necho "npm error 404 Not Found" >&2\nexit 3\n', {
        mode: 0o755,
      });
      const demo = spawn(process.execPath, [join(checkout, 'scripts/demo.mjs')], {
        env: { PATH: `${join(checkout, 'bin')}:${process.env.PATH}` },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      demo.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      const [status] = (await once(demo, 'close')) as [number | null];
      expect({ status, said }).toEqual({
        status: 1,
        said: 'The npm packages could not be installed: npm ci failed (status 3). Mend what it says, and start again:\n  npm error 404 Not Found\n',
      });
    } finally {
      rmSync(checkout, { recursive: true });
    }
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'pass %s on to what they run, and wait for it',
    async (signal) => {
      const directory = mkdtempSync(join(tmpdir(), 'dms-run-'));
      const script = join(directory, 'runner.mjs');
      writeFileSync(script, RUNNER);
      try {
        const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
        let said = '';
        const running = new Promise<void>((resolve) => {
          child.stdout.setEncoding('utf8').on('data', (text: string) => {
            said += text;
            if (said.includes('runs')) resolve();
          });
        });
        await running;
        child.kill(signal);
        const [status] = (await once(child, 'close')) as [number | null];
        expect({ status, said }).toEqual({ status: 7, said: `runs\ngot ${signal}\n` });
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  );
});
