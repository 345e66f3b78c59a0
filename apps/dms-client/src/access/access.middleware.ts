import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type NextFunction, type Request, type Response } from 'express';
import { AUTHENTICATOR, type Authenticator } from './authenticator.interface';
import { LoadLimitService } from './load-limit.service';
import { noteIdentity } from './request-identity';
import { RequestLimitsService } from './request-limits.service';

/** Health, metrics and the documentation of the calls need no credentials and are not limited. */
const GUARDED = /^\/api(\/|$)/i;

export function isGuarded(path: string): boolean {
  return GUARDED.test(path);
}

/** Finds out who calls, and refuses what is too much, before the body of a request is read. */
@Injectable()
export class AccessMiddleware {
  constructor(
    @Inject(AUTHENTICATOR) private readonly authenticator: Authenticator,
    private readonly limits: RequestLimitsService,
    private readonly load: LoadLimitService,
  ) {}

  /** An Express middleware; errors go to the error filter. */
  readonly use = (request: Request, response: Response, next: NextFunction): void => {
    this.authenticator.refuseStrangers?.(request);
    if (!isGuarded(request.path)) return next();
    this.#admit(request, response).then(() => next(), next);
  };

  async #admit(request: Request, response: Response): Promise<void> {
    atEnd(response, this.limits.begin());
    try {
      const identity = await this.authenticator.authenticate(request);
      noteIdentity(request, identity);
      this.load.begin(response, identity);
      atEnd(response, this.limits.beginOf(identity));
    } catch (error) {
      const { challenge } = this.authenticator;
      if (challenge !== null && error instanceof DmsError && error.code === 'UNAUTHENTICATED') {
        response.setHeader('WWW-Authenticate', challenge);
      }
      throw error;
    }
  }
}

/** Calls `end` when the response has been sent, or its caller has hung up. */
function atEnd(response: Response, end: () => void): void {
  if (response.closed) end();
  else response.once('close', end);
}
