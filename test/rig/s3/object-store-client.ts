import type { S3Account } from './swift-configuration';
import { encodeS3, signatureHeaders } from './signature';

const REQUEST_TIMEOUT_MS = 60_000;

/** An answer other than success; `status` and `code` are what S3 said. */
export class ObjectStoreError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    request: string,
  ) {
    super(`${request} was answered with ${status} ${code}`);
    this.name = 'ObjectStoreError';
  }
}

/** One line of a bucket's listing. */
export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

/** Where the S3 endpoint is and who talks to it. */
export interface ObjectStoreAddress extends S3Account {
  readonly endpoint: string;
  readonly region: string;
}

/**
 * A small S3 client. It can be made from an address alone, also in another process than the one that runs the store.
 */
export class ObjectStoreClient {
  constructor(private readonly address: ObjectStoreAddress) {}

  /** The same store with other keys, for tests of what wrong ones may not do. */
  as(account: S3Account): ObjectStoreClient {
    return new ObjectStoreClient({ ...this.address, ...account });
  }

  async createBucket(bucket: string): Promise<void> {
    await this.send('PUT', `/${encodeS3(bucket)}`);
  }

  /** Removes a bucket with all that is in it. */
  async deleteBucket(bucket: string): Promise<void> {
    for (const object of await this.listObjects(bucket)) await this.deleteObject(bucket, object.key);
    await this.send('DELETE', `/${encodeS3(bucket)}`);
  }

  async putObject(bucket: string, key: string, content: string | Buffer): Promise<void> {
    await this.send('PUT', pathOf(bucket, key), Buffer.from(content));
  }

  async getObject(bucket: string, key: string): Promise<Buffer> {
    const answer = await this.send('GET', pathOf(bucket, key));
    return Buffer.from(await answer.arrayBuffer());
  }

  async deleteObject(bucket: string, key: string): Promise<void> {
    await this.send('DELETE', pathOf(bucket, key));
  }

  /** All objects whose key begins with `prefix`, in the order of their keys. */
  async listObjects(bucket: string, prefix = ''): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    let token: string | undefined;
    do {
      const query = new URLSearchParams({ 'list-type': '2', prefix });
      if (token !== undefined) query.set('continuation-token', token);
      const answer = await this.send('GET', `/${encodeS3(bucket)}`, undefined, query);
      const text = await answer.text();
      for (const part of text.split('<Contents>').slice(1)) {
        found.push({ key: element(part, 'Key') ?? '', size: Number(element(part, 'Size')) });
      }
      token = element(text, 'IsTruncated') === 'true' ? element(text, 'NextContinuationToken') : undefined;
    } while (token !== undefined);
    return found;
  }

  private async send(
    method: string,
    path: string,
    body: Buffer = Buffer.alloc(0),
    query = new URLSearchParams(),
  ): Promise<Response> {
    const { accessKey, secretKey, region, endpoint } = this.address;
    const url = new URL(path, endpoint);
    // Not through URLSearchParams.toString(), which writes a blank as a plus sign.
    url.search = [...query].map(([name, value]) => `${encodeS3(name)}=${encodeS3(value)}`).join('&');
    const headers = signatureHeaders({ method, url, body, accessKey, secretKey, region, time: new Date() });
    const answer = await fetch(url, {
      method,
      headers,
      ...(method === 'PUT' ? { body: new Uint8Array(body) } : {}),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (answer.ok) return answer;
    const code = element(await answer.text(), 'Code') ?? answer.statusText;
    throw new ObjectStoreError(answer.status, code, `${method} ${url.pathname}`);
  }
}

function pathOf(bucket: string, key: string): string {
  return `/${encodeS3(bucket)}/${key.split('/').map(encodeS3).join('/')}`;
}

function element(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text
    ?.replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&amp;/g, '&');
}
