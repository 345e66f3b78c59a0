import { createHash } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { CLOCK_TOLERANCE_S } from './clock-tolerance';
import { type KeyPair } from './key-pair';
import { type PublicKey } from './public-key';

/** AMQP header with the signature of a message; programs that do not know it do not look at it. */
export const SIGNATURE_HEADER = 'dms-signature';

/** What a signature says of a message: changed in any of these it is another message. */
export interface SignedMessage {
  /** What it is: a command is never taken for an announcement, nor a reply for either. */
  readonly kind: 'command' | 'announcement' | 'reply';
  /** The node's queue, also of a reply; the routing key of an announcement. */
  readonly address: string;
  /** The body, to the byte. */
  readonly content: Uint8Array;
  /** AMQP properties of a command, or of the command that a reply answers; null where it has none. */
  readonly replyTo: string | null;
  readonly correlationId: string | null;
  /** Of a reply: the command as the node got it. */
  readonly answers?: AnsweredCommand;
}

/**
 * A command, as far as its reply must tell it from others. A node signs refusals, too: of what somebody has sent under the
 * correlation id of another's command, changed or without its signature. Those answer nothing but what he sent.
 */
export interface AnsweredCommand {
  readonly content: Uint8Array;
  /** What it bears in SIGNATURE_HEADER; null: it is not signed. */
  readonly signature: string | null;
}

/** A signature that is missing, wrong, expired, or of another message; the message is the end of a sentence. */
export class SignatureError extends Error {}

/** The signature names none of the keys that were given. */
export class UnknownSignerError extends SignatureError {}

/** RabbitMQ's direct reply-to: the broker puts the channel's address in the place of this name. */
const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';

/**
 * The signature of a message: a JWT (RFC 7519, EdDSA with Ed25519) whose claims name the message.
 *
 * @param lifetimeMs for how long the message has a meaning; null: as long as somebody waits for it
 */
export async function signMessage(
  message: SignedMessage,
  key: KeyPair<'Ed25519'>,
  lifetimeMs: number | null,
): Promise<string> {
  const token = new SignJWT(claimsOf(message))
    .setProtectedHeader({ alg: 'EdDSA', typ: typeOf(message), kid: key.publicKey.kid })
    .setIssuedAt();
  if (lifetimeMs !== null) token.setExpirationTime(new Date(Date.now() + lifetimeMs));
  return token.sign(key.privateKey);
}

/**
 * Resolves where the signature is of this message and by one of these keys; a key may be among them more than once.
 *
 * @throws SignatureError where it is not; any other error says nothing about the signature
 */
export async function verifyMessage(
  signature: unknown,
  message: SignedMessage,
  keys: readonly PublicKey<'Ed25519'>[],
): Promise<void> {
  if (typeof signature !== 'string' || signature === '') throw new SignatureError('is not signed');
  // What a reply answers is a nonce of who verifies it: it cannot be an old one, whatever the clocks say.
  const isDated = message.kind !== 'reply';
  let payload: Record<string, unknown>;
  try {
    ({ payload } = await jwtVerify(signature, keySetOf(keys), {
      algorithms: ['EdDSA'],
      typ: typeOf(message),
      requiredClaims: isDated ? ['exp', 'iat'] : [],
      clockTolerance: CLOCK_TOLERANCE_S,
    }));
  } catch (error) {
    throw errorOf(error);
  }
  const other = Object.entries(claimsOf(message)).find(([claim, value]) => payload[claim] !== value);
  if (other !== undefined)
    throw new SignatureError(`bears the signature of a message with another ${other[0]}`);
  if (isDated && Number(payload.iat) > Date.now() / 1000 + CLOCK_TOLERANCE_S) {
    throw new SignatureError("was signed in the future by this program's clock");
  }
}

function keySetOf(keys: readonly PublicKey<'Ed25519'>[]): ReturnType<typeof createLocalJWKSet> {
  const byId = new Map(keys.map((key) => [key.kid, { ...key }]));
  return createLocalJWKSet({ keys: [...byId.values()] });
}

function typeOf({ kind }: SignedMessage): string {
  return `dms-${kind}+jwt`;
}

function claimsOf(message: SignedMessage): Record<string, unknown> {
  const { address, content, replyTo, correlationId, answers } = message;
  return {
    aud: address,
    jti: correlationId,
    reply_to: replyTo?.startsWith(`${DIRECT_REPLY_TO}.`) === true ? DIRECT_REPLY_TO : replyTo,
    sha256: digestOf(content),
    ...(answers === undefined ? {} : claimsOfAnswered(answers)),
  };
}

function claimsOfAnswered({ content, signature }: AnsweredCommand): Record<string, unknown> {
  return {
    command_sha256: digestOf(content),
    command_signature_sha256: signature === null ? null : digestOf(signature),
  };
}

function digestOf(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('base64url');
}

const WRONG = 'bears a wrong signature';
/** What the library finds wrong with a signature. Its other errors are about the keys, or about itself. */
const VERDICTS: ReadonlyMap<unknown, string> = new Map([
  ['ERR_JWT_EXPIRED', "bears a signature that has expired by this program's clock"],
  // Each key is given once: the signature fits several because it names none.
  ['ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'bears a signature that names no key'],
  ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED', WRONG],
  ['ERR_JWS_INVALID', WRONG],
  ['ERR_JWT_INVALID', WRONG],
  ['ERR_JWT_CLAIM_VALIDATION_FAILED', WRONG],
  ['ERR_JOSE_ALG_NOT_ALLOWED', WRONG],
  ['ERR_JOSE_NOT_SUPPORTED', WRONG],
]);

function errorOf(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (code === 'ERR_JWKS_NO_MATCHING_KEY') {
    return new UnknownSignerError('is signed with a key that is not trusted here', { cause: error });
  }
  const verdict = VERDICTS.get(code);
  return verdict === undefined ? error : new SignatureError(verdict, { cause: error });
}
