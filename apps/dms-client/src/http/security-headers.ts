import { type NextFunction, type Request, type Response } from 'express';

/** For answers that are data: nothing of them is to be run, framed or kept. */
const FOR_DATA = "default-src 'none'; frame-ancestors 'none'";
/** The page at /docs has its scripts in files beside it and its styles within. */
const FOR_DOCUMENTATION = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/**
 * What browsers are told. Other origins (CORS) are let in by DMS_CORS_ORIGINS alone. There is no header that
 * demands TLS, for who puts TLS before this program knows that.
 */
export function securityHeaders({ path }: Request, response: Response, next: NextFunction): void {
  const isDocumentation = /^\/docs(\/|$)/i.test(path);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', isDocumentation ? FOR_DOCUMENTATION : FOR_DATA);
  response.setHeader('X-Frame-Options', 'DENY');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cache-Control', 'no-store');
  next();
}
