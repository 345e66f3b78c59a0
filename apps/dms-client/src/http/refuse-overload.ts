import { contextOfHttp, errorBody, pastPhase } from '@app/platform';
import { type NextFunction, type Request, type Response } from 'express';
import { isGuarded } from '../access/access.middleware';
import { type LoadLimitService, overloaded } from '../access/load-limit.service';
import { knownMethod } from './request-context.middleware';
import { securityHeaders } from './security-headers';

const ERROR = overloaded();
const BODY = JSON.stringify(errorBody(ERROR));
const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Content-Length': Buffer.byteLength(BODY),
  'Retry-After': String(ERROR.details?.retry_after_s),
};

/**
 * Answers 503 OVERLOADED while there is no room for a request, as an Express middleware before all others: each refusal
 * takes time from the requests that are carried out, so it does no more than it has to.
 */
export function refuseOverload(
  load: Pick<LoadLimitService, 'hasRoom'>,
): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    if (!isGuarded(request.path) || load.hasRoom()) return next();
    const began = performance.now();
    response.setHeader('X-Request-Id', contextOfHttp(request.headers).requestId);
    securityHeaders(request, response, () => undefined);
    response.writeHead(ERROR.httpStatus, HEADERS).end(BODY);
    const attributes = {
      http_method: knownMethod(request.method),
      http_route: 'unknown',
      http_status: ERROR.httpStatus,
    };
    pastPhase('request', attributes, began, String(ERROR.httpStatus));
  };
}
