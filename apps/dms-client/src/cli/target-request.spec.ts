import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DmsError } from '@app/contracts';
import { describeError } from './error-report';
import { type TargetOptions } from './commands/target.command';
import { targetRequest } from './target-request';

const SECRET_REF = 'http://barbican:9311/v1/secrets/6f3a1b52-5a6e-4a3c-9a55-0d3f0f4c1f11';
const S3: TargetOptions = {
  format: 'table',
  jobId: 12345,
  targetId: 'target-123',
  targetType: 's3',
  host: 'compute-01',
  secretRef: SECRET_REF,
};

describe('the request of the options', () => {
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  let directory: string;

  beforeEach(async () => {
    warnings.length = 0;
    delete process.env.KEYSTONE_TOKEN;
    directory = await mkdtemp(join(tmpdir(), 'dms-token-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('has what was given, and the token of the environment', async () => {
    process.env.KEYSTONE_TOKEN = 'token-1';
    const request = await targetRequest('mount', { ...S3, readOnly: true, holdId: 'a' }, warn);
    expect(request).toMatchObject({
      job: { jobid: 12345 },
      host: 'compute-01',
      backup_target: { id: 'target-123', type: 's3', secret_ref: SECRET_REF },
      read_only: true,
      hold_id: 'a',
    });
    expect(request.keystone_token?.reveal()).toBe('token-1');
    expect(warnings).toEqual([]);
  });

  it('reads the token from a file', async () => {
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, 'token-2\n');
    const request = await targetRequest('mount', { ...S3, tokenFile }, warn);
    expect(request.keystone_token?.reveal()).toBe('token-2');
  });

  it('warns of a token that others can see', async () => {
    const request = await targetRequest('mount', { ...S3, token: 'token-3' }, warn);
    expect(request.keystone_token?.reveal()).toBe('token-3');
    expect(warnings.join()).toContain('--token-file');
    expect(warnings.join()).not.toContain('token-3');
  });

  it('takes one way of giving the token only', async () => {
    const both = { ...S3, token: 'a', tokenFile: 'b' };
    await expect(targetRequest('mount', both, warn)).rejects.toThrow('--token and --token-file');
  });

  it('says which file cannot be read', async () => {
    const options = { ...S3, tokenFile: join(directory, 'none') };
    await expect(targetRequest('mount', options, warn)).rejects.toThrow(
      `--token-file: ${options.tokenFile} cannot be read (ENOENT)`,
    );
  });

  it('names each field that is missing', async () => {
    const error: unknown = await targetRequest('mount', { format: 'json' }, warn).catch(
      (thrown: unknown) => thrown,
    );
    expect((error as DmsError).details?.fields).toMatchObject([
      { field: 'job.jobid' },
      { field: 'host' },
      { field: 'backup_target.id' },
      { field: 'backup_target.type' },
    ]);
  });

  it('says of each option that is missing that it is required, and of nothing else', async () => {
    const error: unknown = await targetRequest('mount', { format: 'json' }, warn).catch(
      (thrown: unknown) => thrown,
    );
    expect(describeError(error).line).toBe(
      'VALIDATION_FAILED: --job-id: is required; --host: is required; --target-id: is required; --target-type: must be "s3" or "nfs"',
    );
    const { secretRef: _, ...noSecret } = S3;
    const s3 = await targetRequest('mount', noSecret, warn).catch((thrown: unknown) => thrown);
    expect(describeError(s3).line).toContain(
      "--secret-ref: is required for an s3 target, as the secret's URL",
    );
  });

  it('needs neither source nor token for an unmount', async () => {
    const { secretRef: _, ...options } = S3;
    expect(await targetRequest('unmount', options, warn)).toMatchObject({ action: 'unmount' });
  });
});
