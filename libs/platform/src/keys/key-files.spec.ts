import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSigningKey, readTrustedKeys } from './key-files';

describe('key files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dms-keys-'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const [secretPem, pem] = [
    privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  ];
  const { x } = publicKey.export({ format: 'jwk' });
  afterAll(() => rmSync(directory, { recursive: true }));

  const file = (text: string, mode: number): string => {
    const path = join(directory, 'key');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  it.each([
    ['PEM', secretPem],
    ['a JWK', JSON.stringify(privateKey.export({ format: 'jwk' }))],
  ])('a private key is read from %s', async (_, text) => {
    expect((await readSigningKey(file(text, 0o600))).publicKey).toMatchObject({ crv: 'Ed25519', x });
  });

  const isRoot = process.getuid?.() === 0;
  (isRoot ? it : it.skip)(
    `a private key may be read by its group where it is root's${isRoot ? '' : ': only root can give files away'}`,
    async () => {
      const path = file(secretPem, 0o640);
      expect((await readSigningKey(path)).publicKey).toMatchObject({ x });
      chownSync(path, 65_534, 65_534);
      await expect(readSigningKey(path)).rejects.toThrow(/must be readable by its owner/);
      chownSync(path, 0, 0);
    },
  );

  it.each([
    ['PEM blocks', pem],
    ['PEM blocks, one of them twice', `${pem}${pem}`],
    [
      'a JWK set',
      JSON.stringify({ keys: [publicKey.export({ format: 'jwk' }), { kty: 'OKP', crv: 'Ed25519', x }] }),
    ],
  ])('public keys are read from %s', async (_, text) => {
    expect((await readTrustedKeys(file(text, 0o644))).map((key) => key.x)).toEqual([x]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'that others may read',
      () => readSigningKey(file(secretPem, 0o644)),
      /key: must be readable by its owner/,
    ],
    ['that is no key', () => readSigningKey(file('{"d": "hidden"', 0o600)), /key: is no/],
    [
      'of another kind',
      () =>
        readSigningKey(
          file(
            generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
            0o600,
          ),
        ),
      /key: is no Ed25519 key/,
    ],
    ['that is not there', () => readSigningKey(join(directory, 'none')), /none: cannot be read \(ENOENT\)/],
    [
      'of trust that others may write',
      () => readTrustedKeys(file(pem, 0o664)),
      /key: must be writable by its owner/,
    ],
    ['of trust without a key', () => readTrustedKeys(file('nothing', 0o600)), /key: holds no public key/],
    [
      'of trust with another kind',
      () =>
        readTrustedKeys(
          file(
            generateKeyPairSync('x25519').publicKey.export({ format: 'pem', type: 'spki' }).toString(),
            0o600,
          ),
        ),
      /key: is no Ed25519 key/,
    ],
  ])('a file %s is refused, and nothing of it is told', async (_, read, words) => {
    await expect(read()).rejects.toThrow(words);
    await expect(read()).rejects.not.toThrow(/hidden/);
  });
});
