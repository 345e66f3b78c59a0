import { Secret, targetCommandBody, type TargetRequestDto } from '../index';

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
});
