import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { DmsError, validated } from '@app/contracts';
import { type ClassConstructor } from 'class-transformer';

/**
 * Parameters as an instance of `type`. What the class does not know is refused, not passed over: a filter with a
 * spelling mistake would otherwise list, or clean up, everything.
 *
 * @throws DmsError VALIDATION_FAILED that names each wrong or unknown parameter
 */
export function parseParameters<T extends object>(type: ClassConstructor<T>, parameters: unknown): T {
  const parsed = validated(type, parameters);
  const unknown = Object.keys(parameters as object).filter((name) => !Object.hasOwn(parsed, name));
  if (unknown.length > 0) {
    throw DmsError.validation(unknown.map((field) => ({ field, problem: 'is not a known parameter here' })));
  }
  return parsed;
}

/** Reads the query string, the path or the body into the class that the controller's method asks for. */
@Injectable()
export class ParametersPipe implements PipeTransform {
  transform(value: unknown, { metatype, type }: ArgumentMetadata): object {
    if (metatype === undefined) throw new Error('A parameter of a controller has no class');
    // A request without a body says nothing: whether that is enough, the class knows.
    const given = type === 'body' ? (value ?? {}) : value;
    return parseParameters(metatype as ClassConstructor<object>, given);
  }
}
