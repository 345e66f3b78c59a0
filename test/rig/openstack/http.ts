const REQUEST_TIMEOUT_MS = 60_000;

/** An answer other than the one asked for. */
export class CloudError extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    request: string,
  ) {
    super(`${request} was answered with ${status}: ${body.slice(0, 500)}`);
    this.name = 'CloudError';
  }
}

/** A request to an OpenStack service. */
export interface CloudRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Sends a request and returns the answer; a status of 400 or more is a `CloudError`. */
export async function callCloud(request: CloudRequest): Promise<{ headers: Headers; text: string }> {
  const method = request.method ?? (request.body === undefined ? 'GET' : 'POST');
  const answer = await fetch(request.url, {
    method,
    headers: {
      ...(request.token === undefined ? {} : { 'x-auth-token': request.token }),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const text = await answer.text();
  if (answer.status >= 400) throw new CloudError(answer.status, text, `${method} ${request.url}`);
  return { headers: answer.headers, text };
}
