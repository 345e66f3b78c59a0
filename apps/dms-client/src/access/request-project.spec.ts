import { type RequestContextDto, type TargetRequestDto } from '@app/contracts';
import { ANYONE, type Identity } from './identity';
import { authorizeRequest } from './request-project';
import { mayChange, mayShare } from './sharing';

const MEMBER: Identity = {
  name: 'n',
  userId: 'user-1',
  projectId: 'one',
  roles: ['member'],
  proven: true,
  expiresAt: null,
};
const SERVICE = { ...MEMBER, projectId: 'services', roles: ['service'] };

function request(context?: RequestContextDto): TargetRequestDto {
  return { job: { jobid: 1 }, host: 'h', context, backup_target: { id: 't', type: 's3' } };
}

describe('the project of a request', () => {
  it("is the caller's, as is the user", () => {
    const { request: done, scope } = authorizeRequest(
      request({ user_id: 'claimed', request_id: 'r' }),
      MEMBER,
    );
    expect(done.context).toEqual({ project_id: 'one', user_id: 'user-1', request_id: 'r' });
    expect(scope).toEqual({ projectId: 'one', proven: true });
  });

  it.each([
    { project_id: 'two' },
    { tenant_id: 'two' },
    { project_id: 'one', tenant_id: 'two' },
    { project_id: '' },
  ])('is refused where %p is said', (context) => {
    expect(() => authorizeRequest(request(context), MEMBER)).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }) as Error,
    );
  });

  it('may be said by the privileged', () => {
    const said = authorizeRequest(request({ project_id: 'two' }), SERVICE);
    expect(said.request.context).toEqual({ project_id: 'two' });
    expect(said.scope.projectId).toBeNull();
    expect(authorizeRequest(request(), SERVICE).request.context).toEqual({ project_id: 'services' });
  });

  it('is believed where nobody is asked', () => {
    const body = request({ tenant_id: 'two' });
    expect(authorizeRequest(body, ANYONE)).toEqual({
      request: body,
      scope: { projectId: 'two', proven: false },
    });
  });
});

describe('sharing', () => {
  const scope = (projectId: string | null, proven = true): { projectId: string | null; proven: boolean } => ({
    projectId,
    proven,
  });

  it.each([
    ['its own project', scope('one'), 'one', true],
    ['another project', scope('one'), 'two', false],
    ['a project that is not known', scope('one'), null, false],
    ['any project, privileged', scope(null), 'two', true],
    ['another project, claimed', scope('one', false), 'two', false],
    ['a project that is not known, claimed', scope('one', false), null, true],
    ['any project, claiming none', scope(null, false), 'two', true],
  ])('of a mount for %s', (_, caller, owner, may) => {
    expect(mayShare(caller, owner)).toBe(may);
  });

  it.each([
    ['its own', scope('one'), 'one', true],
    ["another's", scope('one'), 'two', false],
    ["nobody's", scope('one'), null, false],
    ["another's, claimed", scope('one', false), 'two', true],
    ["another's, privileged", scope(null), 'two', true],
  ])('changes a binding that is %s', (_, caller, owner, may) => {
    expect(mayChange(caller, owner)).toBe(may);
  });
});
