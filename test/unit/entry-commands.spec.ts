import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
