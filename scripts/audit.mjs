// Known weaknesses of what the programs need at run time: fails at high ones. Without a network, or with a registry that
// does not offer the endpoint, it says so and succeeds: then nothing is known, good or bad.
import { spawnSync } from 'node:child_process';

const LIMIT_MS = 60_000;
const ARGS = [
  'audit',
  '--omit=dev',
  '--audit-level=high',
  '--json',
  '--fetch-retries=0',
  '--fetch-timeout=20000',
];

const { stdout, error } = spawnSync('npm', ARGS, { encoding: 'utf8', timeout: LIMIT_MS });
const report = parsed(stdout);
const counts = report?.metadata?.vulnerabilities;
if (counts === undefined) {
  const reason = error?.code ?? report?.statusCode ?? report?.error?.code ?? 'no answer';
  console.log(`Known weaknesses: NOT LOOKED FOR, the registry cannot be asked (${reason})`);
} else if (counts.high + counts.critical > 0) {
  const bad = Object.values(report.vulnerabilities).filter(({ severity }) =>
    /^(high|critical)$/.test(severity),
  );
  for (const { name, severity, range } of bad) console.error(`${name} ${range}: ${severity}`);
  console.error('Known weaknesses: npm audit --omit=dev tells more');
  process.exitCode = 1;
} else {
  console.log(`Known weaknesses: none that are high (${counts.moderate} moderate, ${counts.low} low)`);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // npm has said something else, or nothing
  }
}
