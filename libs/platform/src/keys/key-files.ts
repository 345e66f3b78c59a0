import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { type KeyPair, keyPairOf, type PublicKey, publicKeyOf } from '@app/contracts';

const PEM_PUBLIC_KEY = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;
const OTHERS_MAY_READ = 0o077;
/** A file of root's that its group may read: a secret volume of Kubernetes with fsGroup, a credential of systemd. */
const OTHERS_MAY_READ_ROOTS = 0o037;
const OTHERS_MAY_WRITE = 0o022;

/**
 * The Ed25519 key of a file that only its owner may read, or root's group, too, where it is root's: PEM (PKCS #8, as `openssl genpkey` writes it) or a JWK.
 *
 * @throws Error that names the file and what is wrong with it, and nothing of what it holds
 */
export async function readSigningKey(path: string): Promise<KeyPair<'Ed25519'>> {
  return about(path, () => {
    const forbidden = statSync(path).uid === 0 ? OTHERS_MAY_READ_ROOTS : OTHERS_MAY_READ;
    const text = readGuarded(path, forbidden, 'must be readable by its owner alone (mode 0600)').trim();
    return keyPairOf(text.startsWith('{') ? (JSON.parse(text) as JsonWebKey) : text, 'Ed25519');
  });
}

/**
 * The Ed25519 public keys of a file that only its owner may write: PEM blocks one after the other, or a JWK set. One that
 * stands there more than once counts once.
 *
 * @throws Error that names the file and what is wrong with it
 */
export async function readTrustedKeys(path: string): Promise<PublicKey<'Ed25519'>[]> {
  return about(path, async () => {
    const text = readGuarded(path, OTHERS_MAY_WRITE, 'must be writable by its owner alone').trim();
    const keys = text.startsWith('{') ? keysOfSet(text) : keysOfPem(text);
    if (keys.length === 0) throw new Error('holds no public key (PEM or JWK set)');
    const read = await Promise.all(keys.map((key) => publicKeyOf(key, 'Ed25519')));
    return [...new Map(read.map((key) => [key.kid, key])).values()];
  });
}

function keysOfSet(text: string): KeyObject[] {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('is no JWK set');
  return (keys as JsonWebKey[]).map((key) => createPublicKey({ key, format: 'jwk' }));
}

function keysOfPem(text: string): KeyObject[] {
  return [...text.matchAll(PEM_PUBLIC_KEY)].map(([block]) => createPublicKey(block));
}

function readGuarded(path: string, forbidden: number, problem: string): string {
  if ((statSync(path).mode & forbidden) !== 0) throw new Error(problem);
  return readFileSync(path, 'utf8');
}

async function about<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new Error(`${path}: ${problemOf(error as NodeJS.ErrnoException)}`, { cause: error });
  }
}

/** Words of our own: what a parser says may repeat what it has read. */
function problemOf(error: NodeJS.ErrnoException): string {
  if (error.syscall !== undefined) return `cannot be read (${error.code ?? 'unknown'})`;
  return error instanceof SyntaxError || error.code !== undefined ? 'is no key (PEM or JSON)' : error.message;
}
