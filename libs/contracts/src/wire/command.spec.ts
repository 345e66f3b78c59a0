import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCommand, parseTargetRequest, Secret, targetCommandBody, type TargetRequestDto } from '../index';

const PYTHON = JSON.parse(
  readFileSync(join(__dirname, '../../golden/legacy-mount-command.json'), 'utf8'),
) as Record<string, unknown>;

const ENVELOPE = { protocol: 1, incarnation: 'memory-1', epoch: 1, operation_id: 'o', deadline_ms: 1_000 };
const TOKEN = new Secret('token-1');

describe('the body of a command', () => {
  it.each([
    ['mount', 's3', TOKEN],
    ['mount', 'nfs', null],
    ['unmount', 's3', null],
    ['unmount', 'nfs', null],
  ] as const)('of %s %s has the token only where a secret is to be read', (action, type, token) => {
    const request: TargetRequestDto = {
      keystone_token: TOKEN,
      job: { jobid: 5 },
      host: 'n1',
      backup_target: { id: 't', type },
    };
    expect(targetCommandBody(action, request, ENVELOPE)).toMatchObject({
      action,
      jobid: 5,
      keystone_token: token,
      dms: ENVELOPE,
    });
  });

  it('has the whole job, as the Python system sends it', () => {
    const job = {
      ...(PYTHON.job as object),
      progress: 40,
      parent_jobid: 12_000,
      job_details: [{ id: 'vm-detail-1', data: { vm_id: 'vm-001', tags: ['a', { b: null }] } }],
    };
    const request = parseTargetRequest({ ...PYTHON, job }, 'mount');
    const body = JSON.parse(JSON.stringify(targetCommandBody('mount', request, ENVELOPE))) as unknown;
    expect(body).toEqual({ ...PYTHON, job, keystone_token: '***', dms: ENVELOPE });
  });
});

describe('a command', () => {
  it.each([5_000, 200_000])('that is nested %d levels deep is refused and names the body', (levels) => {
    const deep: unknown = JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
    expect(() => parseCommand({ ...PYTHON, deep }, 'compute-01')).toThrow(/^body: /);
  });
});
