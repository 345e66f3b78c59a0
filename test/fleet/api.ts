/** An HTTP answer, its body read as JSON. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** A small HTTP client for the facade of a dms-client; answers of every status are returned, none is thrown. */
export class Api {
  /** @param headers sent with every request */
  constructor(
    readonly url: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /** The same facade, asked with further headers. */
  with(headers: Readonly<Record<string, string>>): Api {
    return new Api(this.url, { ...this.headers, ...headers });
  }

  get<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.#send('GET', path, undefined, {});
  }

  post<T = Record<string, unknown>>(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return this.#send('POST', path, JSON.stringify(body), headers);
  }

  /** Posts a text as it is, for bodies that are no JSON. */
  postText<T = Record<string, unknown>>(path: string, text: string): Promise<Answer<T>> {
    return this.#send('POST', path, text, {});
  }

  delete<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.#send('DELETE', path, undefined, {});
  }

  async #send<T>(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.headers,
        ...headers,
      },
      body,
      signal: AbortSignal.timeout(120_000),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as T };
  }
}
