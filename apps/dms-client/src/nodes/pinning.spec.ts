import { type Hello, type PublicKey } from '@app/contracts';
import { judgeKeys, pinnedIn, pinOf, type PinnedKeys } from './pinning';

function hello(changes: Partial<Hello> = {}): Hello {
  return {
    node: 'n1',
    incarnation: 'memory-1',
    boot_id: 'boot-1',
    protocol: 1,
    version: '1',
    bases: [],
    mount_table_version: 1,
    public_key: key('X25519', 'seal-1'),
    signing_key: key('Ed25519', 'sign-1'),
    signs_replies: true,
    ...changes,
  };
}

function key<C extends 'X25519' | 'Ed25519'>(crv: C, kid: string): PublicKey<C> {
  return { kty: 'OKP', crv, x: kid, kid };
}

const PINNED = pinOf(hello());
const ACCEPTED: PinnedKeys = {
  key_id: 'sign-2',
  public_key: null,
  signing_key: null,
  signs_replies: false,
  boot_id: null,
  incarnation: null,
};
/** As the ledger has what older programs wrote, and what they say. */
const UNSIGNED = { signs_replies: undefined };
const OLD = pinnedIn(JSON.stringify({ ...PINNED, ...UNSIGNED }));
const NO_KEYS = { public_key: null, signing_key: null };
const OTHER_KEYS = { public_key: key('X25519', 'seal-2'), signing_key: key('Ed25519', 'sign-2') };
const OTHER_MEMORY = { incarnation: 'memory-2' };

describe('the keys of a hello', () => {
  it.each<[string, PinnedKeys | null, Partial<Hello>, string]>([
    ['fit where none were ever heard of', null, NO_KEYS, 'fits'],
    ['are pinned at first sight', null, {}, 'pin'],
    ['fit while they stay', PINNED, {}, 'fits'],
    ['may not change within a memory', PINNED, OTHER_KEYS, 'refuse'],
    ['may not change one by one, either', PINNED, { public_key: OTHER_KEYS.public_key }, 'refuse'],
    ['may change with the memory', PINNED, { ...OTHER_KEYS, ...OTHER_MEMORY }, 'pin'],
    ['may change with the boot', PINNED, { ...OTHER_KEYS, boot_id: 'boot-2' }, 'pin'],
    ['may stay when the memory changes', PINNED, OTHER_MEMORY, 'pin'],
    ['may not go', PINNED, NO_KEYS, 'refuse'],
    ['may not go with the memory, either', PINNED, { ...NO_KEYS, ...OTHER_MEMORY }, 'refuse'],
    ['fit while the node signs no replies and never has', OLD, UNSIGNED, 'fits'],
    ['may begin to sign replies', OLD, {}, 'pin'],
    ['may not cease to', PINNED, UNSIGNED, 'refuse'],
    ['may not cease to with the memory, either', PINNED, { ...UNSIGNED, ...OTHER_MEMORY }, 'refuse'],
    ['may not cease to with other keys', PINNED, { ...UNSIGNED, ...OTHER_KEYS, boot_id: 'b' }, 'refuse'],
    ['may sign none if an operator has named them', ACCEPTED, { ...OTHER_KEYS, ...UNSIGNED }, 'pin'],
    ['are pinned if they are those that an operator has named', ACCEPTED, OTHER_KEYS, 'pin'],
    ['are refused if an operator has named others', ACCEPTED, {}, 'refuse'],
    ['are refused then with another memory, too', ACCEPTED, OTHER_MEMORY, 'refuse'],
  ])('%s', (_, pinned, changes, verdict) => {
    expect(judgeKeys(pinned, hello(changes)).kind).toBe(verdict);
  });

  it('are taken on trust with a reason that is told, and without one where they are proved', () => {
    expect(judgeKeys(PINNED, hello({ ...OTHER_KEYS, ...OTHER_MEMORY }))).toMatchObject({
      reason: 'the memory of the node is a new one',
    });
    const proved = { ...OTHER_MEMORY, public_key: OTHER_KEYS.public_key };
    expect(judgeKeys(PINNED, hello(proved))).toEqual({ kind: 'pin', reason: null });
    expect(judgeKeys(OLD, hello())).toEqual({ kind: 'pin', reason: null });
  });
});
