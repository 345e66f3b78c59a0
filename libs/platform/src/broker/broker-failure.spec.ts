import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Secret } from '@app/contracts';
import { connectBroker } from './broker-connection';
import { brokerFailure } from './broker-failure';

describe('why a broker cannot be reached', () => {
  it('names setting and address, and no password', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const url = new Secret(`amqp://user:hunter2@127.0.0.1:${port}/backups`);
    const broker = connectBroker({ urls: [url], connectionName: 'test' });
    const [failure] = (await once(broker, 'connectFailed')) as [{ err: Error; url?: unknown }];
    const said = brokerFailure(failure);
    expect(said).toBe(`${failure.err.message} (DMS_RABBITMQ_URL: amqp://127.0.0.1:${port}/backups)`);
    expect(said).not.toContain('hunter2');
    await broker.close();
    server.close();
  });

  it('names the setting where the address is not known', () => {
    expect(brokerFailure({ err: new Error('refused') })).toBe('refused (DMS_RABBITMQ_URL)');
  });
});
