import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { type AccessLevel } from './policy';

export const ACCESS_LEVEL = 'dms:access';
/** Where the level stands in the OpenAPI document. */
export const ACCESS_EXTENSION = 'x-dms-access';

/** Who may make the call. A route without it is for administrators only. */
export function Access(level: AccessLevel): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(ACCESS_LEVEL, level), ApiExtension(ACCESS_EXTENSION, level));
}
