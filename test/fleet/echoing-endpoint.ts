import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';

const EMPTY_LISTING =
  '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>';

/**
 * An S3 endpoint that says no to every write and repeats in its error who asked, as S3 does ("AWSAccessKeyId"), and also
 * how. A bucket in it can be mounted and is empty.
 */
export class EchoingEndpoint {
  private constructor(private readonly server: Server) {}

  static async start(): Promise<EchoingEndpoint> {
    const server = createServer((request, response) => {
      request.resume();
      request.once('end', () => answer(request, response));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new EchoingEndpoint(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

function answer({ method, url = '', headers }: IncomingMessage, response: ServerResponse): void {
  const isBucket = new URL(url, 'http://endpoint').pathname.split('/').filter(Boolean).length < 2;
  if (method === 'GET') response.setHeader('content-type', 'application/xml').end(EMPTY_LISTING);
  else if (method === 'HEAD') response.writeHead(isBucket ? 200 : 404).end();
  else {
    const { authorization = '' } = headers;
    const key = /Credential=([^/]*)/.exec(authorization)?.[1] ?? '';
    response
      .writeHead(403, { 'content-type': 'application/xml' })
      .end(
        `<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>${key}</AWSAccessKeyId><Header>${authorization}</Header></Error>`,
      );
  }
}
