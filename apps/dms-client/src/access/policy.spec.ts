import { type Identity } from './identity';
import { type AccessLevel, permits, scopeOf } from './policy';

function identity(roles: string[], projectId: string | null = 'one'): Identity {
  return { name: 'n', userId: 'u', projectId, roles, proven: true, expiresAt: null };
}

describe('the policy', () => {
  const LEVELS: AccessLevel[] = ['open', 'read', 'change', 'operate', 'administer'];

  it.each([
    ['admin', identity(['admin']), LEVELS],
    ['admin of no project', identity(['admin'], null), LEVELS],
    ['service', identity(['service']), ['open', 'read', 'change', 'operate']],
    ['member', identity(['member', 'reader']), ['open', 'read', 'change']],
    ['any other role', identity(['creator']), ['open', 'read', 'change']],
    ['reader', identity(['reader']), ['open', 'read']],
    ['nobody', identity([]), ['open']],
    ['member of no project', identity(['member'], null), ['open']],
  ])('lets %s do what is for it', (_, caller, allowed) => {
    expect(LEVELS.filter((level) => permits(caller, level))).toEqual(allowed);
  });

  it('bounds all but the privileged by their project', () => {
    expect(scopeOf(identity(['member'])).projectId).toBe('one');
    expect(scopeOf(identity(['service'])).projectId).toBeNull();
    expect(scopeOf(identity(['admin', 'member'])).projectId).toBeNull();
    expect(() => scopeOf(identity(['member'], null))).toThrow();
  });
});
