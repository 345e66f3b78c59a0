import { EncryptJWT, importJWK, jwtDecrypt } from 'jose';
import { Secret } from '../secrets/secret';
import { CLOCK_TOLERANCE_S } from './clock-tolerance';
import { type KeyPair } from './key-pair';
import { type PublicKey } from './public-key';

/** The command that a token was sealed for: with any other one it cannot be opened. */
export interface TokenBinding {
  readonly node: string;
  readonly incarnation: string | null;
  readonly epoch: number;
  readonly operationId: string;
  readonly action: string;
  readonly targetId: string;
  /** As it stands in the command: the token must not be led to another secret. */
  readonly secretRef: string | null;
}

/** A sealed token that is not for this command, this key, or this hour; the message says which, never what it holds. */
export class SealedTokenError extends Error {}

const ALGORITHMS = {
  keyManagementAlgorithms: ['ECDH-ES'],
  contentEncryptionAlgorithms: ['A256GCM'],
};
const TYPE = 'dms-token+jwt';

/**
 * A token that only the holder of a key can read, and only beside the command that it is for: an encrypted JWT
 * (RFC 7519 in RFC 7516's compact form; ECDH-ES with X25519, A256GCM).
 *
 * @param lifetimeMs for how long the command has a meaning
 */
export async function sealToken(
  token: Secret,
  key: PublicKey<'X25519'>,
  binding: TokenBinding,
  lifetimeMs: number,
): Promise<string> {
  return new EncryptJWT({ ...claimsOf(binding), token: token.reveal() })
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ: TYPE, kid: key.kid })
    .setAudience(binding.node)
    .setJti(binding.operationId)
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + lifetimeMs))
    .encrypt(await importJWK({ ...key }, 'ECDH-ES'));
}

/** @throws SealedTokenError */
export async function openToken(
  sealed: string,
  key: KeyPair<'X25519'>,
  binding: TokenBinding,
): Promise<Secret> {
  let payload: Record<string, unknown>;
  try {
    ({ payload } = await jwtDecrypt(sealed, key.privateKey, {
      ...ALGORITHMS,
      typ: TYPE,
      audience: binding.node,
      requiredClaims: ['exp', 'jti', 'token'],
      clockTolerance: CLOCK_TOLERANCE_S,
    }));
  } catch (error) {
    throw new SealedTokenError(reasonOf(error), { cause: error });
  }
  const expected = { ...claimsOf(binding), jti: binding.operationId };
  const other = Object.entries(expected).find(([claim, value]) => payload[claim] !== value);
  if (other !== undefined) throw new SealedTokenError(`was sealed for a command with another ${other[0]}`);
  if (typeof payload.token !== 'string') throw new SealedTokenError('holds no token');
  return new Secret(payload.token);
}

function claimsOf({
  incarnation,
  epoch,
  action,
  targetId,
  secretRef,
}: TokenBinding): Record<string, unknown> {
  return { incarnation, epoch, action, backup_target_id: targetId, secret_ref: secretRef };
}

function reasonOf(error: unknown): string {
  const { code, claim } = error as { code?: unknown; claim?: unknown };
  if (code === 'ERR_JWT_EXPIRED') return "has expired by this node's clock";
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') return `was sealed with another "${String(claim)}"`;
  return 'was not sealed to the key of this node, or was changed';
}
