import { ApiExtension } from '@nestjs/swagger';
import { type ErrorCode } from '@app/contracts';

/** Where a route's answers stand in its metadata until the document is made. */
export const ANSWERS = 'x-dms-answers';

/** What a call answers: what its success means, and with which codes of the table it can fail. */
export interface RouteAnswers {
  readonly description: string;
  readonly codes: readonly ErrorCode[];
}

/**
 * Documents what a call answers. What every call can answer (credentials, limits, the database) is added by itself.
 *
 * @param description of the success, a sentence
 * @param codes with which this call can fail besides; those with status 200 are told with the success
 */
export function Answers(description: string, ...codes: ErrorCode[]): MethodDecorator {
  return ApiExtension(ANSWERS, { description, codes }) as MethodDecorator;
}
