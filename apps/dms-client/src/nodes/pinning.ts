import { type Hello, type PublicKey } from '@app/contracts';

/** The keys of a node as the ledger has them. */
export interface PinnedKeys {
  /** Id of the key with which the node signs. */
  readonly key_id: string;
  /** Null where an operator has named the key, and no hello was signed with it yet. */
  readonly public_key: PublicKey<'X25519'> | null;
  readonly signing_key: PublicKey<'Ed25519'> | null;
  /** The node has said, signed, that it signs its replies. */
  readonly signs_replies: boolean;
  /** The boot and the memory of the node that published them. */
  readonly boot_id: string | null;
  readonly incarnation: string | null;
}

/**
 * What a hello is to the keys that are pinned.
 * - `fits`: it is of the node that is known, or of one that has no keys and never had;
 * - `pin`: its keys are the node's from now on; `reason` says why where that is taken on trust;
 * - `refuse`: it may be somebody else's.
 */
export type KeyVerdict =
  | { readonly kind: 'fits' }
  | { readonly kind: 'pin'; readonly reason: string | null }
  | { readonly kind: 'refuse'; readonly reason: string };

/** Id under which a refused hello without keys is shown. */
export const NO_KEY = 'none';

/**
 * Compares a hello, whose signature was verified with its own key, with the keys that are pinned.
 *
 * The keys of a node belong to its memory and end with it, so another memory may bring others: this is trust on first
 * use, again at each first use. Within one memory no key may change; a node that had keys always has, and one that has
 * signed its replies always does.
 */
export function judgeKeys(pinned: PinnedKeys | null, hello: Hello): KeyVerdict {
  const { public_key: publicKey, signing_key: signingKey } = hello;
  if (publicKey === null || signingKey === null) {
    if (pinned === null) return { kind: 'fits' };
    return { kind: 'refuse', reason: 'it publishes no key any more' };
  }
  if (pinned === null) return { kind: 'pin', reason: 'it was not known before' };
  const sameMemory = pinned.incarnation === hello.incarnation && pinned.boot_id === hello.boot_id;
  const sameSigner = pinned.key_id === signingKey.kid;
  if (pinned.public_key === null || pinned.signing_key === null) {
    if (sameSigner) return { kind: 'pin', reason: null };
    return { kind: 'refuse', reason: 'it is not the key that an operator accepted' };
  }
  const signsReplies = hello.signs_replies === true;
  if (pinned.signs_replies && !signsReplies)
    return { kind: 'refuse', reason: 'it does not sign its replies any more' };
  if (sameSigner && pinned.public_key.kid === publicKey.kid) {
    const same = sameMemory && pinned.signs_replies === signsReplies;
    return same ? { kind: 'fits' } : { kind: 'pin', reason: null };
  }
  if (sameMemory) return { kind: 'refuse', reason: 'its keys have changed, and its memory has not' };
  return { kind: 'pin', reason: sameSigner ? null : 'the memory of the node is a new one' };
}

/** What is pinned of a hello that has keys. */
export function pinOf(hello: Hello): PinnedKeys | null {
  const { public_key, signing_key, boot_id, incarnation } = hello;
  if (public_key === null || signing_key === null) return null;
  const signs_replies = hello.signs_replies === true;
  return { key_id: signing_key.kid, public_key, signing_key, signs_replies, boot_id, incarnation };
}

/** Pinned keys as they stand in the ledger; programs that knew no signed replies wrote nothing of them. */
export function pinnedIn(text: string): PinnedKeys {
  return { signs_replies: false, ...(JSON.parse(text) as Omit<PinnedKeys, 'signs_replies'>) };
}
