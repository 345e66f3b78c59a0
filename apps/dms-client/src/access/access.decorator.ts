import { type CustomDecorator, SetMetadata } from '@nestjs/common';
import { type AccessLevel } from './policy';

export const ACCESS_LEVEL = 'dms:access';

/** Who may make the call. A route without it is for administrators only. */
export function Access(level: AccessLevel): CustomDecorator {
  return SetMetadata(ACCESS_LEVEL, level);
}
