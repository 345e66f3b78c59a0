import { contextOfHttp, forRequest, measured } from '@app/platform';
import { type NextFunction, type Request, type Response } from 'express';

/** Those of HTTP that the facade knows; another one is one kind of nonsense. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Gives each request an id (`X-Request-Id`, the caller's own where it is well formed), which stands in the answer, on
 * all lines of the log and in the operation; and measures it.
 */
export function requestContext(request: Request, response: Response, next: NextFunction): void {
  const context = contextOfHttp(request.headers);
  response.setHeader('X-Request-Id', context.requestId);
  const attributes: { http_method: string; http_route?: string; http_status?: number } = {
    http_method: knownMethod(request.method),
  };
  const answered = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    next();
    await closed;
    attributes.http_route = routeOf(request);
    // Nothing was sent to a caller that has hung up.
    attributes.http_status = response.headersSent ? response.statusCode : HUNG_UP;
  };
  const codeOf = (): string | null =>
    (attributes.http_status ?? 0) >= 500 ? String(attributes.http_status) : null;
  forRequest(context, () => void measured('request', attributes, answered, codeOf));
}

/** The method as a label: callers may send any word. */
export function knownMethod(method: string): string {
  return METHODS.has(method) ? method : 'OTHER';
}

/** As proxies have it in their logs. */
const HUNG_UP = 499;

/** The template of the route, of which there are few; the paths of requests are without number. */
function routeOf({ route, path }: Request): string {
  const template = (route as { path?: unknown } | undefined)?.path;
  if (typeof template === 'string') return template;
  return path === '/docs' || path.startsWith('/docs/') ? '/docs' : 'unknown';
}
