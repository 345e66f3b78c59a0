import { Logger } from '@nestjs/common';
import { type PoolConnection } from 'mysql2';
import { FailoverPool } from './failover-pool';
import { type ServerPool } from './server-pool';

const sent = (errno: number): Error =>
  Object.assign(new Error('what the server says'), { errno, sqlState: 'HY000' });
const unreachable = (): Error => Object.assign(new Error('what the driver says'), { code: 'ETIMEDOUT' });

/** A server as the pool sees it. */
class FakeServer {
  checks = 0;
  closed = 0;
  isConnected = false;
  answer: () => Promise<void> = () => Promise.resolve();
  refusal: Error | null = null;
  readonly connections: FakeConnection[] = [];

  constructor(readonly address: string) {}

  readonly open = (): ServerPool => this as unknown as ServerPool;

  check(): Promise<void> {
    this.checks += 1;
    return this.answer();
  }

  acquire(): Promise<FakeConnection> {
    if (this.refusal !== null) return Promise.reject(this.refusal);
    const connection = new FakeConnection(this);
    this.isConnected = true;
    this.connections.push(connection);
    return Promise.resolve(connection);
  }

  owns(connection: FakeConnection): boolean {
    return this.connections.includes(connection);
  }

  drop(connection: FakeConnection): void {
    connection.destroy();
  }

  close(): void {
    this.closed += 1;
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

class FakeConnection {
  destroyed = false;

  constructor(readonly server: FakeServer) {}

  destroy(): void {
    this.destroyed = true;
  }
}

describe('the pool over several servers', () => {
  let servers: FakeServer[];
  let pool: FailoverPool;

  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    jest.spyOn(Logger.prototype, 'log').mockReturnValue();
    servers = [new FakeServer('one:3306'), new FakeServer('two:3306')];
    pool = new FailoverPool(
      servers.map(({ open }) => open),
      0,
    );
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  const take = (): Promise<FakeConnection> =>
    new Promise((resolve, reject) => {
      pool.getConnection((error, connection) => {
        if (error instanceof Error) reject(error);
        else resolve(connection as unknown as FakeConnection);
      });
    });
  const failed = (connection: FakeConnection, error: Error): void =>
    pool.failed(connection as unknown as PoolConnection, error);
  const addressOf = async (taken: Promise<FakeConnection>): Promise<string> => (await taken).server.address;

  it('The first server is used while it accepts writes.', async () => {
    expect([await addressOf(take()), await addressOf(take())]).toEqual(['one:3306', 'one:3306']);
    expect(servers[1].checks).toBe(0);
  });

  it('A first server that does not answer delays the requests once, by half a second.', async () => {
    servers[0].answer = () => new Promise(() => undefined);
    const taken = Promise.all([addressOf(take()), addressOf(take())]);
    await jest.advanceTimersByTimeAsync(500);
    expect(await taken).toEqual(['two:3306', 'two:3306']);
    expect(await addressOf(take())).toBe('two:3306');
    expect(servers[0].checks).toBe(1);
  });

  it('The next server is used after a statement failed because the first is read-only.', async () => {
    const connection = await take();
    failed(connection, sent(1290));
    expect(connection.destroyed).toBe(true);
    expect(servers[0].closed).toBe(1);
    expect(await addressOf(take())).toBe('two:3306');
    expect(await addressOf(take())).toBe('two:3306');
  });

  it.each([1213, 1205, 1062, 1064])('A connection is kept after error %d.', async (number) => {
    const connection = await take();
    failed(connection, sent(number));
    expect([connection.destroyed, servers[0].closed]).toEqual([false, 0]);
  });

  it('A server is kept if only one of its connections was lost.', async () => {
    const connection = await take();
    failed(connection, sent(1927));
    expect(connection.destroyed).toBe(true);
    expect(await addressOf(take())).toBe('one:3306');
  });

  it('A server that accepts no more connections is kept while it serves others.', async () => {
    await take();
    servers[0].refusal = sent(1040);
    await expect(take()).rejects.toThrow('what the server says');
    servers[0].refusal = null;
    expect(await addressOf(take())).toBe('one:3306');
  });

  it('While no server accepts writes, one request in half a second asks, and the others fail at once.', async () => {
    for (const server of servers) server.answer = () => Promise.reject(unreachable());
    for (let n = 0; n < 5; n += 1) await expect(take()).rejects.toThrow('what the driver says');
    expect(servers.map(({ checks }) => checks)).toEqual([1, 1]);
    servers[1].answer = () => Promise.resolve();
    await jest.advanceTimersByTimeAsync(500);
    expect(await addressOf(take())).toBe('two:3306');
  });

  it('A server that failed a statement is not called ready for five seconds, if there is no other.', async () => {
    pool = new FailoverPool([servers[0].open], 0);
    failed(await take(), sent(1114));
    await take();
    expect(pool.isUp).toBe(false);
    await expect(pool.check()).rejects.toThrow('what the server says');
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await pool.check()).toBe('one:3306');
    expect(pool.isUp).toBe(true);
  });
});
