import { type OpenAPIObject } from '@nestjs/swagger';
import { ERROR_CODES, type ErrorCode, isErrorCode } from '@app/contracts';
import { ANSWERS, type RouteAnswers } from './answers.decorator';
import { withAnswers } from './api-document';

interface Answer {
  readonly description: string;
  readonly headers?: object;
  readonly content?: Record<string, { schema: object; examples: Record<string, { value: object }> }>;
}

function answersOf(answers: RouteAnswers, more: object = {}): Record<string, Answer> {
  const operation = { responses: { 200: { description: '' }, 202: { description: 'Later.' } }, [ANSWERS]: answers, ...more }; // prettier-ignore
  const document = { paths: { '/a': { post: operation } } } as unknown as OpenAPIObject;
  const { post } = withAnswers(document).paths['/a'] as unknown as { post: Record<string, unknown> };
  expect(post[ANSWERS]).toBeUndefined();
  return post.responses as Record<string, Answer>;
}

describe('the answers in the document', () => {
  const codes: ErrorCode[] = ['NOT_FOUND', 'BUSY', 'CONFLICT', 'UNMOUNTED_DIRTY', 'NODE_UNREACHABLE'];
  const answers = answersOf({ description: 'It was done.', codes });

  it('have each code of the route and those of every route under its status, and no other', () => {
    const documented = Object.entries(answers).flatMap(([status, answer]) =>
      Object.keys(answer.content?.['application/json'].examples ?? {}).map((code) => {
        expect(isErrorCode(code) && ERROR_CODES[code].http).toBe(Number(status));
        expect(answer.description).toContain(`\`${code}\`: ${ERROR_CODES[code as ErrorCode].meaning}`);
        return code;
      }),
    );
    expect(documented).toEqual(expect.arrayContaining(['NOT_FOUND', 'BUSY', 'CONFLICT', 'NODE_UNREACHABLE']));
    expect(documented).toEqual(expect.arrayContaining(['UNAUTHENTICATED', 'RATE_LIMITED', 'INTERNAL']));
    expect(documented).not.toContain('MOUNT_FAILED');
    expect(documented).not.toContain('TOO_LARGE');
  });

  it('tell what a success is, with the codes that are one', () => {
    expect(answers['200'].description).toMatch(/^It was done\.\n\n`UNMOUNTED_DIRTY`: /);
    expect(answers['202'].description).toBe('Later.');
  });

  it('say when to try again, and that a body can be too large', () => {
    expect(answers['503'].headers).toHaveProperty('Retry-After');
    expect(answers['409'].headers).toBeUndefined();
    expect(answersOf({ description: 'x', codes: [] }, { requestBody: {} })).toHaveProperty('413');
  });
});
