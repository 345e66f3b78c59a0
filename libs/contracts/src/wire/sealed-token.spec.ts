import { Secret } from '../secrets/secret';
import { makeKeyPair } from './key-pair';
import { openToken, SealedTokenError, sealToken, type TokenBinding } from './sealed-token';

const BINDING: TokenBinding = {
  node: 'compute-01',
  incarnation: '0b54ae6b-91b5-4c3c-a3f1-24f4a8a0c9d5',
  epoch: 3,
  operationId: '7d1f5e0a-3c1b-4f0e-8a52-000000000001',
  action: 'mount',
  targetId: 't1',
  secretRef: 'http://barbican:9311/v1/secrets/6f3a1b52-5a6e-4a3c-9a55-0d3f0f4c1f11',
};
const TOKEN = new Secret('gAAAAA-a-token');

describe('a sealed token', () => {
  it('is read by the holder of the key, beside its command', async () => {
    const key = await makeKeyPair('X25519');
    const sealed = await sealToken(TOKEN, key.publicKey, BINDING, 60_000);
    expect((await openToken(sealed, key, BINDING)).reveal()).toBe('gAAAAA-a-token');
  });

  it('shows nothing of the token to others, and is another one each time', async () => {
    const { publicKey } = await makeKeyPair('X25519');
    const [one, two] = [
      await sealToken(TOKEN, publicKey, BINDING, 60_000),
      await sealToken(TOKEN, publicKey, BINDING, 60_000),
    ];
    for (const part of one.split('.')) {
      expect(Buffer.from(part, 'base64url').toString('latin1')).not.toContain('gAAAAA-a-token');
    }
    expect(one.split('.')[3]).not.toBe(two.split('.')[3]);
  });

  it.each<[string, Partial<TokenBinding>, RegExp]>([
    ['another node', { node: 'compute-02' }, /"aud"/],
    ['another memory', { incarnation: null }, /another incarnation$/],
    ['a later epoch', { epoch: 4 }, /another epoch$/],
    ['another operation', { operationId: '7d1f5e0a-3c1b-4f0e-8a52-000000000002' }, /another jti$/],
    ['another action', { action: 'unmount' }, /another action$/],
    ['another target', { targetId: 't2' }, /another backup_target_id$/],
    ['another secret', { secretRef: null }, /another secret_ref$/],
  ])('cannot be moved to a command for %s', async (_, changes, words) => {
    const key = await makeKeyPair('X25519');
    const sealed = await sealToken(TOKEN, key.publicKey, BINDING, 60_000);
    const opening = openToken(sealed, key, { ...BINDING, ...changes });
    await expect(opening).rejects.toThrow(SealedTokenError);
    await expect(opening).rejects.toThrow(words);
  });

  it('is opened by no other key, and not once it was changed', async () => {
    const key = await makeKeyPair('X25519');
    const sealed = await sealToken(TOKEN, key.publicKey, BINDING, 60_000);
    await expect(openToken(sealed, await makeKeyPair('X25519'), BINDING)).rejects.toThrow(
      /not sealed to the key/,
    );
    const parts = sealed.split('.');
    parts[3] = parts[3].startsWith('A') ? `B${parts[3].slice(1)}` : `A${parts[3].slice(1)}`;
    await expect(openToken(parts.join('.'), key, BINDING)).rejects.toThrow(/or was changed/);
    await expect(openToken('no token', key, BINDING)).rejects.toThrow(SealedTokenError);
  });

  it('ends with its command, give or take a difference of the clocks', async () => {
    const key = await makeKeyPair('X25519');
    const late = await sealToken(TOKEN, key.publicKey, BINDING, -30_000);
    expect((await openToken(late, key, BINDING)).reveal()).toBe('gAAAAA-a-token');
    const tooLate = await sealToken(TOKEN, key.publicKey, BINDING, -90_000);
    await expect(openToken(tooLate, key, BINDING)).rejects.toThrow(/expired/);
  });
});
