import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Child,
  cleanEnvironment,
  guardian,
  ObjectStoreError,
  OWNER_VARIABLE,
  processesWithVariable,
  Rig,
  runCommand,
  waitFor,
} from './index';

/**
 * Tries all of the rig once, without a test runner, and says how long each step took. Run it after `npm run build`, or
 * compile this directory alone and give its selfcheck.js to node.
 */
async function selfCheck(): Promise<void> {
  const rows: { step: string; ms: number }[] = [];
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    rows.push({ step: name, ms: Math.round(performance.now() - began) });
    return result;
  };
  const say = (line: string): void => void process.stdout.write(`${line}\n`);

  const rig = await step('start of all parts', () => Rig.start({ onProgress: say }));
  try {
    await step('database: create, write, read', () => checkDatabase(rig));
    await step('database: killed and back', async () => {
      await rig.database.kill();
      await rig.database.start();
      await checkDatabase(rig);
    });
    await step('broker: list of queues', async () => equal(await rig.broker.queues(), []));
    const secret = await step('secret: stored and read', () => checkSecret(rig));
    await step('object: put, get, list', () => checkObjects(rig));
    await step('wrong S3 secret is refused', () => checkWrongSecret(rig));
    if (canMount()) await step('bucket mounted by s3fs, written, read back', () => checkMount(rig, secret));
    else say('(no /dev/fuse, or not root: the mount is left out)');
    await step('broker: killed and back', async () => {
      await rig.broker.kill();
      await rig.broker.start();
    });
  } finally {
    await step('stop of all parts', () => rig.stop());
  }
  checkNothingLeft(rig.directory);
  const width = Math.max(...rows.map((row) => row.step.length));
  for (const row of rows) say(`${row.step.padEnd(width)}  ${String(row.ms).padStart(6)} ms`);
  say('all is well, and nothing is left');
}

async function checkDatabase(rig: Rig): Promise<void> {
  await rig.database.query('CREATE TABLE IF NOT EXISTS words (word VARCHAR(20) PRIMARY KEY)');
  await rig.database.query('REPLACE INTO words VALUES (?)', ['kept']);
  equal(JSON.stringify(await rig.database.query('SELECT word FROM words')), '[{"word":"kept"}]');
}

async function checkSecret(rig: Rig): Promise<Record<string, string>> {
  const { accessKey, secretKey, endpoint } = rig.s3;
  const credentials = {
    aws_access_key_id: accessKey,
    aws_secret_access_key: secretKey,
    endpoint_url: endpoint,
  };
  const token = await rig.cloud.token('owner');
  const reference = await rig.cloud.storeSecret(token, credentials);
  const read = JSON.parse(await rig.cloud.client.readSecret(token, reference)) as Record<string, string>;
  equal(read, credentials);
  return read;
}

async function checkObjects(rig: Rig): Promise<void> {
  const key = "a folder/name with blank & 'quotes'.txt";
  await rig.s3.createBucket('selfcheck');
  await rig.s3.putObject('selfcheck', key, 'content');
  equal((await rig.s3.getObject('selfcheck', key)).toString(), 'content');
  equal(await rig.s3.listObjects('selfcheck', 'a folder/'), [{ key, size: 7 }]);
}

async function checkWrongSecret(rig: Rig): Promise<void> {
  const wrong = rig.s3.client({ accessKey: rig.s3.accessKey, secretKey: 'wrong' });
  try {
    await wrong.listObjects('selfcheck');
  } catch (error) {
    if (error instanceof ObjectStoreError && error.status === 403) return;
    throw error;
  }
  throw new Error('A request signed with a wrong secret was answered');
}

function canMount(): boolean {
  return process.getuid?.() === 0 && existsSync('/dev/fuse') && existsSync('/usr/bin/s3fs');
}

async function checkMount(rig: Rig, secret: Record<string, string>): Promise<void> {
  const place = await rig.subdirectory('mounted here');
  const client = await Child.start({
    name: 's3fs',
    command: '/usr/bin/s3fs',
    args: ['selfcheck', place, '-f', '-o', `url=${secret.endpoint_url}`, '-o', 'use_path_request_style'],
    directory: rig.directory,
    logFile: join(rig.directory, 's3fs.log'),
    environment: cleanEnvironment({
      AWS_ACCESS_KEY_ID: secret.aws_access_key_id ?? '',
      AWS_SECRET_ACCESS_KEY: secret.aws_secret_access_key ?? '',
    }),
  });
  try {
    await waitFor(
      async () => {
        if (!client.running) throw new Error(`s3fs ${client.outcome}: ${await client.logTail()}`);
        return (await readFile('/proc/self/mountinfo', 'utf8')).includes('mounted\\040here');
      },
      { timeoutMs: 20_000, what: 'the mount to appear' },
    );
    equal((await readdir(place)).includes('a folder'), true);
    const bytes = randomBytes(3_000_000);
    await writeFile(join(place, 'backup.bin'), bytes);
    const stored = await rig.s3.getObject('selfcheck', 'backup.bin');
    equal(
      createHash('sha256').update(stored).digest('hex'),
      createHash('sha256').update(bytes).digest('hex'),
    );
    await runCommand('/bin/umount', [place], { timeoutMs: 20_000 });
    await client.waitForExit(20_000);
  } finally {
    await client.stop();
  }
}

function checkNothingLeft(directory: string): void {
  if (existsSync(directory)) throw new Error(`${directory} is still there`);
  const left = processesWithVariable(`${OWNER_VARIABLE}=${guardian.mark}`);
  if (left.length > 0) throw new Error(`Still running: ${left.join(', ')}`);
}

function equal(found: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) throw new Error(`Expected ${right}, found ${left}`);
}

void selfCheck().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
