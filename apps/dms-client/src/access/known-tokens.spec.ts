import { type Identity } from './identity';
import { KnownTokens, type KnownToken } from './known-tokens';

function tokenOf(userId: string, lifetimeMs = 60_000): KnownToken {
  const identity: Identity = {
    name: `user ${userId}`,
    userId,
    projectId: null,
    roles: [],
    proven: true,
    expiresAt: Date.now() + lifetimeMs,
  };
  return { identity, askedAt: 0 };
}

describe('KnownTokens', () => {
  it('forgets the oldest token of a user who has too many, and none of others', () => {
    const tokens = new KnownTokens(10, 3);
    tokens.remember('of another', tokenOf('another'));
    for (const key of ['1', '2', '3', '4', '5']) tokens.remember(key, tokenOf('one'));
    expect(['1', '2', '3', '4', '5'].filter((key) => tokens.get(key) !== null)).toEqual(['3', '4', '5']);
    expect(tokens.get('of another')).not.toBeNull();
  });

  it('forgets the token that was checked longest ago where there are too many in all', () => {
    const tokens = new KnownTokens(3, 3);
    for (const key of ['1', '2', '3']) tokens.remember(key, tokenOf(key));
    tokens.remember('1', tokenOf('1'));
    tokens.remember('4', tokenOf('4'));
    expect(['1', '2', '3', '4'].filter((key) => tokens.get(key) !== null)).toEqual(['1', '3', '4']);
  });

  it('does not know a token that has ended', () => {
    const tokens = new KnownTokens();
    tokens.remember('1', tokenOf('one', -1));
    expect(tokens.get('1')).toBeNull();
  });
});
