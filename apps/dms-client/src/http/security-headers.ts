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

/** Of all answers. */
const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

/** Of answers that are data. */
export const HEADERS_OF_DATA = { ...HEADERS, 'Content-Security-Policy': FOR_DATA };

const HEADERS_OF_DOCUMENTATION = { ...HEADERS, 'Content-Security-Policy': FOR_DOCUMENTATION };

/**
 * What browsers are told. Other origins (CORS) are let in by DMS_CORS_ORIGINS alone. There is no header that
 * demands TLS, for who puts TLS before this program knows that.
 */
export function securityHeaders({ path }: Request, response: Response, next: NextFunction): void {
  const isDocumentation = /^\/docs(\/|$)/i.test(path);
  response.set(isDocumentation ? HEADERS_OF_DOCUMENTATION : HEADERS_OF_DATA);
  next();
}
