import { createHash, createHmac } from 'node:crypto';

/** A request as it will go over the wire. */
export interface SignableRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: Buffer;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly time: Date;
}

/**
 * The headers that make a request a signed one (AWS Signature Version 4, service s3).
 *
 * Written for the rig so that what a FUSE client wrote is read back by a program that shares no code with it.
 */
export function signatureHeaders(request: SignableRequest): Record<string, string> {
  const stamp = request.time.toISOString().replace(/[-:]|\.\d+/g, '');
  const day = stamp.slice(0, 8);
  const hash = sha256(request.body);
  const signed: Record<string, string> = {
    host: request.url.host,
    'x-amz-content-sha256': hash,
    'x-amz-date': stamp,
  };
  const names = Object.keys(signed).sort();
  const canonical = [
    request.method,
    request.url.pathname,
    canonicalQuery(request.url.searchParams),
    ...names.map((name) => `${name}:${signed[name]}`),
    '',
    names.join(';'),
    hash,
  ].join('\n');
  const scope = `${day}/${request.region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n');
  const key = [day, request.region, 's3', 'aws4_request'].reduce<Buffer>(
    (previous, part) => hmac(previous, part),
    Buffer.from(`AWS4${request.secretKey}`),
  );
  return {
    // Not the host: it is part of what is signed, and fetch writes it by itself.
    'x-amz-content-sha256': hash,
    'x-amz-date': stamp,
    authorization:
      `AWS4-HMAC-SHA256 Credential=${request.accessKey}/${scope}, ` +
      `SignedHeaders=${names.join(';')}, Signature=${hmac(key, toSign).toString('hex')}`,
  };
}

/** Percent-encoding as S3 wants it: everything but letters, digits and -._~ */
export function encodeS3(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalQuery(parameters: URLSearchParams): string {
  return [...parameters]
    .map(([name, value]) => `${encodeS3(name)}=${encodeS3(value)}`)
    .sort()
    .join('&');
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
