import { makeKeyPair, openToken, Secret, type TokenBinding } from '@app/contracts';
import { type NodeTrustService, type SealingKey } from './node-trust.service';
import { TokenSealer } from './token-sealer.service';

const ENVELOPE = {
  protocol: 1,
  incarnation: 'memory-1',
  epoch: 4,
  operation_id: '7d1f5e0a-3c1b-4f0e-8a52-000000000001',
  deadline_ms: 1000,
};
const BODY = {
  action: 'mount',
  keystone_token: new Secret('token-1'),
  backup_target: { id: 't1', secret_ref: 'http://barbican/v1/secrets/1' },
};

function sealer(key: SealingKey, plainTokens: 'legacy' | 'never' = 'legacy'): TokenSealer {
  const trust = { sealingKey: () => Promise.resolve(key) } as unknown as NodeTrustService;
  return new TokenSealer({ plainTokens }, trust);
}

describe('the token of a command', () => {
  it('is sealed for a node that has a key, and stands nowhere else', async () => {
    const key = await makeKeyPair('X25519');
    const body = await sealer(key.publicKey).seal('n1', { ...BODY, dms: ENVELOPE }, 1_000);
    expect(JSON.stringify(body)).not.toContain('token-1');
    expect(body).toMatchObject({ ...BODY, keystone_token: null, dms: ENVELOPE });
    const binding: TokenBinding = {
      node: 'n1',
      incarnation: 'memory-1',
      epoch: 4,
      operationId: ENVELOPE.operation_id,
      action: 'mount',
      targetId: 't1',
      secretRef: 'http://barbican/v1/secrets/1',
    };
    const { sealed_token: sealed } = body.dms as { sealed_token: string };
    expect((await openToken(sealed, key, binding)).reveal()).toBe('token-1');
  });

  it('goes in clear to a node that has published no key, if that is allowed', async () => {
    expect(await sealer('none').seal('n1', BODY, 1_000)).toMatchObject({ keystone_token: 'token-1' });
    const forbidden = sealer('none', 'never').seal('n1', { ...BODY, dms: ENVELOPE }, 1_000);
    await expect(forbidden).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('goes to nobody of whom nothing was heard', async () => {
    await expect(sealer('unknown').seal('n1', BODY, 1_000)).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
    });
  });

  it('goes to no Python server that stands where a node with a key was', async () => {
    const { publicKey } = await makeKeyPair('X25519');
    await expect(sealer(publicKey).seal('n1', BODY, 1_000)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('that there is not needs no key', async () => {
    const body = { action: 'unmount', keystone_token: null };
    expect(await sealer('unknown').seal('n1', body, 1_000)).toBe(body);
  });
});
