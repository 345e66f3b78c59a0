import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { listenProblem } from './listen-problem';

const NAMES = { hostSetting: 'DMS_HTTP_HOST', portSetting: 'DMS_HTTP_PORT' };

/** The error of listening there. */
function failure(port: number, host: string): Promise<unknown> {
  return new Promise((resolve) => createServer().on('error', resolve).listen(port, host));
}

describe('why a program cannot listen', () => {
  let taken: Server;

  beforeAll(async () => {
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => taken.close());

  it('is said in the words of its settings', async () => {
    const { port } = taken.address() as AddressInfo;
    expect(
      listenProblem(await failure(port, '127.0.0.1'), { host: '127.0.0.1', port, ...NAMES }),
    ).toMatchObject({
      message: `DMS_HTTP_PORT: port ${port} of 127.0.0.1 is in use by another program`,
    });
    const elsewhere = { host: '192.0.2.1', port: 8090, ...NAMES };
    expect(listenProblem(await failure(8090, '192.0.2.1'), elsewhere)).toMatchObject({
      message: 'DMS_HTTP_HOST: port 8090 of 192.0.2.1 is at no address of this machine',
    });
  });

  it('is another error where it is another', () => {
    const defect = new TypeError('defect');
    expect(listenProblem(defect, { host: 'h', port: 1, ...NAMES })).toBe(defect);
  });
});
