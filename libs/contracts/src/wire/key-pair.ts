import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { asPublicKey, type KeyCurve, type PublicKey } from './public-key';

/** A private key with what is published of it. */
export interface KeyPair<C extends KeyCurve = KeyCurve> {
  readonly publicKey: PublicKey<C>;
  readonly privateKey: KeyObject;
}

/** Makes a new pair. */
export async function makeKeyPair<C extends KeyCurve>(curve: C): Promise<KeyPair<C>> {
  const { privateKey } = curve === 'X25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('ed25519');
  return { privateKey, publicKey: await publicKeyOf(privateKey, curve) };
}

/**
 * The pair of a private key, given as a JWK or as PEM (PKCS #8).
 *
 * @throws Error that does not repeat the key
 */
export async function keyPairOf<C extends KeyCurve>(key: string | JsonWebKey, curve: C): Promise<KeyPair<C>> {
  let privateKey: KeyObject;
  try {
    privateKey = typeof key === 'string' ? createPrivateKey(key) : createPrivateKey({ key, format: 'jwk' });
  } catch {
    throw new Error('is no private key (PEM or JWK)');
  }
  return { privateKey, publicKey: await publicKeyOf(privateKey, curve) };
}

/**
 * A public key, or the public half of a private one, with its thumbprint.
 *
 * @throws Error if it is of another kind
 */
export async function publicKeyOf<C extends KeyCurve>(key: KeyObject, curve: C): Promise<PublicKey<C>> {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  const jwk = half.export({ format: 'jwk' });
  const published = jwk.kty === 'OKP' ? asPublicKey({ ...jwk, kid: await thumbprintOf(jwk) }, curve) : null;
  if (published === null) throw new Error(`is no ${curve} key`);
  return published;
}

/** True if the key has the id that it is published with. */
export async function isNamedRightly(key: PublicKey): Promise<boolean> {
  return (await thumbprintOf(key)) === key.kid;
}

/** RFC 7638, SHA-256, base64url. */
function thumbprintOf(jwk: JsonWebKey | PublicKey): Promise<string> {
  return calculateJwkThumbprint({ kty: 'OKP', crv: String(jwk.crv), x: String(jwk.x) });
}
