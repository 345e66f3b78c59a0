import { type IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable, Logger } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { DmsError } from '@app/contracts';
import { ACCESS_LEVEL } from './access.decorator';
import { type AccessLevel, permits } from './policy';
import { identityOf } from './request-identity';

/** Lets a request through if the policy lets its caller make such calls. */
@Injectable()
export class AccessGuard implements CanActivate {
  readonly #log = new Logger(AccessGuard.name);

  constructor(private readonly reflector: Reflector) {}

  /** @throws DmsError UNAUTHENTICATED, FORBIDDEN */
  canActivate(context: ExecutionContext): boolean {
    const level = this.#level(context);
    if (level === 'open') return true;
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const identity = identityOf(request);
    if (permits(identity, level)) {
      if (level === 'administer')
        this.#log.log({ msg: 'An administrator calls', ...called(request, identity.name) });
      return true;
    }
    this.#log.warn({ msg: 'A call was forbidden', level, ...called(request, identity.name) });
    throw new DmsError('FORBIDDEN', sentence(level));
  }

  #level(context: ExecutionContext): AccessLevel {
    const level = this.reflector.getAllAndOverride<AccessLevel | undefined>(ACCESS_LEVEL, [
      context.getHandler(),
      context.getClass(),
    ]);
    return level ?? 'administer';
  }
}

function sentence(level: AccessLevel): string {
  switch (level) {
    case 'operate':
      return 'This call is for the roles admin and service';
    case 'administer':
      return 'This call is for the role admin';
    default:
      return 'This call needs a token of a project and a role in it that may do this';
  }
}

function called({ method, url = '' }: IncomingMessage, caller: string): Record<string, string | undefined> {
  return { caller, method, path: url.split('?')[0] };
}
