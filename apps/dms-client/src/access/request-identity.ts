import { type IncomingMessage } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type Identity, type ProjectScope } from './identity';
import { scopeOf } from './policy';

const identities = new WeakMap<IncomingMessage, Identity>();

/** Notes who makes the request. */
export function noteIdentity(request: IncomingMessage, identity: Identity): void {
  identities.set(request, identity);
}

/** @throws DmsError UNAUTHENTICATED where nobody found out who makes the request */
export function identityOf(request: IncomingMessage): Identity {
  const identity = identities.get(request);
  if (identity === undefined) throw new DmsError('UNAUTHENTICATED', 'This call needs credentials');
  return identity;
}

/** Parameter of a controller's method: who calls. */
export const CallerIdentity = createParamDecorator((_: unknown, context: ExecutionContext): Identity =>
  identityOf(context.switchToHttp().getRequest<IncomingMessage>()),
);

/** Parameter of a controller's method: whose things the caller may see and change. */
export const CallerScope = createParamDecorator((_: unknown, context: ExecutionContext): ProjectScope =>
  scopeOf(identityOf(context.switchToHttp().getRequest<IncomingMessage>())),
);
