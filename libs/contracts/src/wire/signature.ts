import { createHash } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { CLOCK_TOLERANCE_S } from './clock-tolerance';
import { type KeyPair } from './key-pair';
import { type PublicKey } from './public-key';

/** AMQP header with the signature of a message; programs that do not know it do not look at it. */
export const SIGNATURE_HEADER = 'dms-signature';

/** What a signature says of a message: changed in any of these it is another message. */
export interface SignedMessage {
  /** What it is: a command is never taken for an announcement. */
  readonly kind: 'command' | 'announcement';
  /** The node's queue, or the routing key of an announcement. */
  readonly address: string;
  /** The body, to the byte. */
  readonly content: Uint8Array;
  /** AMQP properties of a command; null where it has none. */
  readonly replyTo: string | null;
  readonly correlationId: string | null;
}

/** A signature that is missing, wrong, expired, or of another message; the message is the end of a sentence. */
export class SignatureError extends Error {}

/** RabbitMQ's direct reply-to: the broker puts the channel's address in the place of this name. */
const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';

/**
 * The signature of a message: a JWT (RFC 7519, EdDSA with Ed25519) whose claims name the message.
 *
 * @param lifetimeMs for how long the message has a meaning
 */
export async function signMessage(
  message: SignedMessage,
  key: KeyPair<'Ed25519'>,
  lifetimeMs: number,
): Promise<string> {
  return new SignJWT(claimsOf(message))
    .setProtectedHeader({ alg: 'EdDSA', typ: typeOf(message), kid: key.publicKey.kid })
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + lifetimeMs))
    .sign(key.privateKey);
}

/**
 * Resolves where the signature is of this message and by one of these keys.
 *
 * @throws SignatureError
 */
export async function verifyMessage(
  signature: unknown,
  message: SignedMessage,
  keys: readonly PublicKey<'Ed25519'>[],
): Promise<void> {
  if (typeof signature !== 'string' || signature === '') throw new SignatureError('is not signed');
  let payload: Record<string, unknown>;
  try {
    ({ payload } = await jwtVerify(signature, createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) }), {
      algorithms: ['EdDSA'],
      typ: typeOf(message),
      requiredClaims: ['exp', 'iat'],
      clockTolerance: CLOCK_TOLERANCE_S,
    }));
  } catch (error) {
    throw new SignatureError(reasonOf(error), { cause: error });
  }
  const other = Object.entries(claimsOf(message)).find(([claim, value]) => payload[claim] !== value);
  if (other !== undefined)
    throw new SignatureError(`bears the signature of a message with another ${other[0]}`);
  if (Number(payload.iat) > Date.now() / 1000 + CLOCK_TOLERANCE_S) {
    throw new SignatureError("was signed in the future by this program's clock");
  }
}

function typeOf({ kind }: SignedMessage): string {
  return `dms-${kind}+jwt`;
}

function claimsOf({ address, content, replyTo, correlationId }: SignedMessage): Record<string, unknown> {
  return {
    aud: address,
    jti: correlationId,
    reply_to: replyTo?.startsWith(`${DIRECT_REPLY_TO}.`) === true ? DIRECT_REPLY_TO : replyTo,
    sha256: createHash('sha256').update(content).digest('base64url'),
  };
}

function reasonOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === 'ERR_JWKS_NO_MATCHING_KEY') return 'is signed with a key that is not trusted here';
  if (code === 'ERR_JWT_EXPIRED') return "bears a signature that has expired by this program's clock";
  return 'bears a wrong signature';
}
