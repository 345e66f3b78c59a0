import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants';
import { Caller } from './caller.decorator';

class Controller {
  call(@Caller() _: unknown): void {
    // Its parameter is what is looked at.
  }
}

type Factory = (data: unknown, context: ExecutionContext) => { readonly aborted: boolean };

/** What the decorator makes of a request that is answered by `response`. */
function callerOf(response: ServerResponse): { readonly aborted: boolean } {
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, Controller, 'call') as Record<string, { factory: Factory }>; // prettier-ignore
  const context = { switchToHttp: () => ({ getResponse: () => response }) } as unknown as ExecutionContext;
  return Object.values(parameters)[0].factory(undefined, context);
}

describe('the caller of a request', () => {
  let server: Server;
  let port: number;

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const asked = async (): Promise<{ response: ServerResponse; hangUp: () => void }> => {
    const socket = connect(port, '127.0.0.1');
    const request = once(server, 'request') as Promise<[unknown, ServerResponse]>;
    socket.write('POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n');
    const [, response] = await request;
    return { response, hangUp: () => socket.destroy() };
  };

  it('has hung up once the connection is gone, and stays so when he is answered after that', async () => {
    const { response, hangUp } = await asked();
    const caller = callerOf(response);
    expect(caller.aborted).toBe(false);
    const closed = once(response, 'close');
    hangUp();
    await closed;
    expect(caller.aborted).toBe(true);
    expect(callerOf(response).aborted).toBe(true);
    response.end('too late');
    expect(caller.aborted).toBe(true);
  });

  it('has not hung up where he was answered', async () => {
    const { response, hangUp } = await asked();
    const caller = callerOf(response);
    const closed = once(response, 'close');
    response.end('in time');
    await closed;
    hangUp();
    expect(caller.aborted).toBe(false);
  });
});
