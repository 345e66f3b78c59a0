import { CommandRoutes } from './command-routes';

const COMMON = 'dms.n1';
const [OLD, NEW] = ['dms.n1.old', 'dms.n1.new'];

/** What this process has heard of the node, at the moment. */
class Heard {
  queue: string | null = null;
  silent = Infinity;
  hasListened = true;

  commandQueue(): string | null {
    return this.queue;
  }

  silentMs(): number {
    return this.silent;
  }
}

describe('CommandRoutes', () => {
  let heard: Heard;
  const next = (...tried: string[]): Promise<string | null> =>
    new CommandRoutes(heard).next('n1', new Set(tried), performance.now() + 10_000);

  beforeEach(() => {
    heard = new Heard();
  });

  it("commands a node by the node's own queue if its newest hello names one", async () => {
    heard.queue = OLD;
    heard.silent = 100_000;
    expect(await next()).toBe(OLD);
  });

  it('commands by dms.<host> a node that names no queue of its own', async () => {
    heard.silent = 500;
    expect(await next()).toBe(COMMON);
  });

  it('takes dms.<host> if the own queue is gone, and then the queue of a hello that is on its way', async () => {
    heard.queue = OLD;
    heard.silent = 500;
    expect(await next(OLD)).toBe(COMMON);
    const coming = next(OLD, COMMON);
    heard.queue = NEW;
    expect(await coming).toBe(NEW);
    expect(await next(OLD, COMMON, NEW)).toBeNull();
  });

  it('A new queue of the node takes the place of its former one, and none takes the place of dms.<host>.', () => {
    const routes = new CommandRoutes(heard);
    heard.queue = OLD;
    expect(routes.successorOf('n1', OLD)).toBeNull();
    heard.queue = NEW;
    expect(routes.successorOf('n1', OLD)).toBe(NEW);
    expect(routes.successorOf('n1', COMMON)).toBeNull();
  });

  it('waits for a hello if the process has just begun to listen', async () => {
    heard.hasListened = false;
    const coming = next(COMMON);
    heard.queue = NEW;
    expect(await coming).toBe(NEW);
  });

  it('waits for no hello of a node that has been silent for longer than a hello takes', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    try {
      heard.queue = OLD;
      heard.silent = 3_500;
      expect(await next(OLD, COMMON)).toBeNull();
      heard.silent = Infinity;
      expect(await next(OLD, COMMON)).toBeNull();
    } finally {
      jest.useRealTimers();
    }
  });
});
