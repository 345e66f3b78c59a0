import { type ClassConstructor, plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { DmsError, type FieldProblem } from '../errors/dms-error';
import { typeName } from '../rules/identifiers';
import { boundProblem } from './body-bounds';

/**
 * The plain object `body` as an instance of `type`, with fields that the class does not know left out.
 *
 * @throws DmsError VALIDATION_FAILED that names every wrong field, without any value
 */
export function validated<T extends object>(type: ClassConstructor<T>, body: unknown): T {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw DmsError.validation([{ field: 'body', problem: `must be a JSON object, not ${typeName(body)}` }]);
  }
  const problem = boundProblem(body);
  if (problem !== null) throw DmsError.validation([{ field: 'body', problem }]);
  const instance = plainToInstance(type, body);
  const problems = validateSync(instance, {
    whitelist: true,
    validationError: { target: false, value: false },
  });
  if (problems.length > 0)
    throw DmsError.validation(problems.flatMap((problem) => fieldProblems(problem, '')));
  return instance;
}

function fieldProblems(error: ValidationError, parent: string): FieldProblem[] {
  const field = parent === '' ? error.property : `${parent}.${error.property}`;
  const own = Object.values(error.constraints ?? {});
  return [
    ...(own.length > 0 ? [{ field, problem: own.at(-1) ?? '' }] : []),
    ...(error.children ?? []).flatMap((child) => fieldProblems(child, field)),
  ];
}
