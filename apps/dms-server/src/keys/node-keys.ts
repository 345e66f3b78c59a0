import { type JsonWebKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { type KeyPair, keyPairOf, makeKeyPair } from '@app/contracts';
import { writeAtomically } from '../fence/atomic-file';

/** The node's own keys: tokens are sealed to the first, what it announces is signed with the second. */
export interface NodeKeys {
  readonly encryption: KeyPair<'X25519'>;
  readonly signing: KeyPair<'Ed25519'>;
}

export const NODE_KEYS = Symbol('NodeKeys');

const FILE = 'keys.json';

/**
 * The keys that belong to this memory of the node, from `<run>/keys.json` (mode 0600); new ones where it has none yet.
 * They live as long as the memory: what was sealed for another incarnation is for a command that is refused anyway.
 *
 * @throws Error if they cannot be written
 */
export async function loadNodeKeys(runDir: string, incarnation: string): Promise<NodeKeys> {
  const path = join(runDir, FILE);
  const found = existsSync(path) ? await read(path, incarnation) : null;
  if (found !== null) return found;
  const keys = { encryption: await makeKeyPair('X25519'), signing: await makeKeyPair('Ed25519') };
  const text = JSON.stringify({
    incarnation,
    encryption: keys.encryption.privateKey.export({ format: 'jwk' }),
    signing: keys.signing.privateKey.export({ format: 'jwk' }),
  });
  writeAtomically(path, `${text}\n`);
  new Logger('NodeKeys').log({ msg: 'New keys were made', key_id: keys.signing.publicKey.kid });
  return keys;
}

/** Null where the file is of another memory, or damaged. */
async function read(path: string, incarnation: string): Promise<NodeKeys | null> {
  try {
    const stored = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    if (stored.incarnation !== incarnation) return null;
    return {
      encryption: await keyPairOf(stored.encryption as JsonWebKey, 'X25519'),
      signing: await keyPairOf(stored.signing as JsonWebKey, 'Ed25519'),
    };
  } catch {
    // What a parser says may repeat a key.
    new Logger('NodeKeys').error(
      `${path} is damaged: clients will refuse the new keys until an operator accepts them`,
    );
    return null;
  }
}
