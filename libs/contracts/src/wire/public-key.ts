/** Curves of the keys on the wire (RFC 8037): X25519 to seal to, Ed25519 to verify with. */
export type KeyCurve = 'X25519' | 'Ed25519';

/** A public key as a JWK (RFC 7517). */
export interface PublicKey<C extends KeyCurve = KeyCurve> {
  readonly kty: 'OKP';
  readonly crv: C;
  readonly x: string;
  /** Its thumbprint (RFC 7638, SHA-256, base64url). */
  readonly kid: string;
}

/** 32 bytes in base64url: such a key's `x`, and a thumbprint. */
const THIRTY_TWO_BYTES = /^[A-Za-z0-9_-]{43}$/;

/** `value` as a public key of that curve, without what else it holds; null where it is none. */
export function asPublicKey<C extends KeyCurve>(value: unknown, curve: C): PublicKey<C> | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kty, crv, x, kid } = value as Partial<Record<keyof PublicKey, unknown>>;
  if (kty !== 'OKP' || crv !== curve || !isThirtyTwoBytes(x) || !isThirtyTwoBytes(kid)) return null;
  return { kty, crv: curve, x, kid };
}

/** The end of a sentence that says why `id` cannot be the id of a key; null where it can. */
export function keyIdProblem(id: unknown): string | null {
  return isThirtyTwoBytes(id) ? null : 'must be the id of a key: 43 characters of base64url';
}

function isThirtyTwoBytes(value: unknown): value is string {
  return typeof value === 'string' && THIRTY_TWO_BYTES.test(value);
}
