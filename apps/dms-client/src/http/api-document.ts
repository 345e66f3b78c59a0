import { type OpenAPIObject } from '@nestjs/swagger';
import { DmsError, ERROR_CODES, type ErrorCode } from '@app/contracts';
import { errorBody } from '@app/platform';
import { ANSWERS, type RouteAnswers } from './answers.decorator';

/** With these every call but the health checks can fail. */
const COMMON: readonly ErrorCode[] = [
  'VALIDATION_FAILED',
  'UNAUTHENTICATED',
  'AUTH_EXPIRED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL',
  'CLIENT_UNREACHABLE',
  'OVERLOADED',
  'AUTH_UNAVAILABLE',
  'LEDGER_UNAVAILABLE',
];
const ACCEPTED = 202;
const SUCCESS = 200;
/** Statuses whose answers say when to try again. */
const WITH_RETRY_AFTER = [429, 503];

interface Answer {
  description: string;
  content?: object;
  headers?: object;
}

/** An operation of the document, as far as it matters here. */
interface Operation {
  responses: Record<string, Answer>;
  requestBody?: object;
  [ANSWERS]?: RouteAnswers;
}

/** Writes the answers of all calls into the document, the errors from the one table of codes. */
export function withAnswers(document: OpenAPIObject): OpenAPIObject {
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path) as Operation[]) {
      const answers = operation[ANSWERS];
      if (answers !== undefined) complete(operation, answers);
    }
  }
  return document;
}

function complete(operation: Operation, { description, codes }: RouteAnswers): void {
  delete operation[ANSWERS];
  const withBody: readonly ErrorCode[] = operation.requestBody === undefined ? [] : ['TOO_LARGE'];
  const all = (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) =>
    [...COMMON, ...withBody, ...codes].includes(code),
  );
  for (const [status, response] of Object.entries(operation.responses)) {
    const told = all.filter((code) => ERROR_CODES[code].http === Number(status)).map(meaningOf);
    if (Number(status) !== ACCEPTED) response.description = [description, ...told].join('\n\n');
  }
  for (const [status, codesOfStatus] of byStatus(all)) {
    operation.responses[status] = {
      description: codesOfStatus.map(meaningOf).join('\n\n'),
      ...(WITH_RETRY_AFTER.includes(status) ? { headers: RETRY_AFTER } : {}),
      content: {
        'application/json': {
          schema: { $ref: '#/components/schemas/ErrorDto' },
          examples: Object.fromEntries(codesOfStatus.map((code) => [code, { value: exampleOf(code) }])),
        },
      },
    };
  }
}

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds after which to try again.', schema: { type: 'integer' } },
};

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const status = ERROR_CODES[code].http;
    if (status !== SUCCESS) groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}

function meaningOf(code: ErrorCode): string {
  return `\`${code}\`: ${ERROR_CODES[code].meaning}`;
}

function exampleOf(code: ErrorCode): object {
  return errorBody(new DmsError(code, ERROR_CODES[code].meaning));
}
