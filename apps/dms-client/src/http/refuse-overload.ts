import { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { contextOfHttp, errorBody, pastPhase } from '@app/platform';
import { isGuarded } from '../access/access.middleware';
import { type LoadLimitService, overloaded } from '../access/load-limit.service';
import { knownMethod } from './request-context.middleware';
import { HEADERS_OF_DATA } from './security-headers';

const ERROR = overloaded();
const BODY = JSON.stringify(errorBody(ERROR));
const HEADERS = {
  ...HEADERS_OF_DATA,
  'Content-Type': 'application/json; charset=utf-8',
  'Content-Length': Buffer.byteLength(BODY),
  'Retry-After': String(ERROR.details?.retry_after_s),
};

/**
 * Answers 503 OVERLOADED while there is no room for a request, before Express sees it: each refusal takes time from the
 * requests that are carried out, so it does no more than it has to.
 *
 * @param carryOut a listener of the server, which from now on gets the requests for which there is room. All others, as that
 *   which counts silent connections, get every request
 */
export function refuseOverload(
  server: Server,
  carryOut: RequestListener,
  load: Pick<LoadLimitService, 'hasRoom'>,
): void {
  server.off('request', carryOut);
  server.on('request', (request, response) => {
    if (isGuarded(pathOf(request)) && !load.hasRoom()) return refuse(request, response);
    return carryOut(request, response);
  });
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  const began = performance.now();
  response.writeHead(ERROR.httpStatus, {
    ...HEADERS,
    'X-Request-Id': contextOfHttp(request.headers).requestId,
  });
  response.end(BODY);
  const attributes = {
    http_method: knownMethod(request.method ?? ''),
    http_route: 'unknown',
    http_status: ERROR.httpStatus,
  };
  pastPhase('request', attributes, began, String(ERROR.httpStatus));
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
