import { type Hello } from '@app/contracts';
import { NodeViewsService } from './node-views.service';
import { type NodesRepository } from './nodes.repository';

const HELLO: Hello = {
  node: 'n1',
  incarnation: 'i1',
  boot_id: 'b1',
  protocol: 1,
  version: '1',
  bases: ['/base'],
  mount_table_version: 1,
  public_key: null,
  signing_key: null,
};

describe('NodeViewsService', () => {
  const written: string[] = [];
  const repository = {
    heard: ({ incarnation }: Hello) => Promise.resolve(void written.push(`heard ${incarnation}`)),
    silent: (host: string) => Promise.resolve(void written.push(`silent ${host}`)),
    find: () => Promise.resolve({ incarnation: 'i1', bases: '["/base"]', state: 'silent' }),
  } as unknown as NodesRepository;

  beforeEach(() => {
    written.length = 0;
  });

  it('Hellos are not enough for what a ledger says that may have lost commits, until the node was compared with it', async () => {
    const views = new NodeViewsService(repository);
    await views.hear(HELLO);
    const before = performance.now();
    views.doubtLedger();
    await views.hear(HELLO);
    expect(await views.view('n1')).toMatchObject({ up: false, punctual: true, incarnation: 'i1' });
    views.compared('n1', before - 1);
    expect(await views.view('n1')).toMatchObject({ up: false });
    views.compared('n1', performance.now());
    expect(await views.view('n1')).toMatchObject({ up: true });
  });

  it('takes a node that says it leaves for one that is not up, and for nothing else', async () => {
    const views = new NodeViewsService(repository);
    await views.hear(HELLO);
    expect(await views.view('n1')).toEqual({
      up: true,
      punctual: true,
      incarnation: 'i1',
      legacy: false,
      bases: ['/base'],
      ledger: null,
    });
    await views.bidFarewell({ ...HELLO, leaving: true });
    // The same as if its hellos had not been heard for long: what it commands or has mounted is not touched by it.
    expect(await views.view('n1')).toEqual({
      up: false,
      punctual: false,
      incarnation: 'i1',
      legacy: false,
      bases: ['/base'],
      ledger: null,
    });
    expect([...views.upHosts()]).toEqual([]);
    expect(written).toEqual(['heard i1', 'silent n1']);
  });

  it('says when a hello is overdue, long before the node counts as silent', async () => {
    const clock = jest.spyOn(performance, 'now');
    try {
      clock.mockReturnValue(10_000);
      const views = new NodeViewsService(repository);
      await views.hear(HELLO);
      const seen = async (now: number): Promise<boolean[]> => {
        clock.mockReturnValue(now);
        const { up, punctual } = await views.view('n1');
        return [up, punctual];
      };
      expect(await seen(12_900)).toEqual([true, true]);
      expect(await seen(13_100)).toEqual([true, false]);
      expect(await seen(16_100)).toEqual([false, false]);
    } finally {
      clock.mockRestore();
    }
  });

  it('says when it has heard a node last', async () => {
    const views = new NodeViewsService(repository);
    expect(views.lastHeard('n1')).toBeNull();
    const before = Date.now();
    await views.hear(HELLO);
    const heard = views.lastHeard('n1')?.getTime() ?? 0;
    expect(heard).toBeGreaterThanOrEqual(before - 1);
    expect(heard).toBeLessThanOrEqual(Date.now());
    await views.bidFarewell({ ...HELLO, leaving: true });
    expect(views.lastHeard('n1')).toBeNull();
  });

  it('writes the hello that comes after it at once', async () => {
    const views = new NodeViewsService(repository);
    await views.hear(HELLO);
    await views.bidFarewell({ ...HELLO, leaving: true });
    await views.hear(HELLO);
    expect((await views.view('n1')).up).toBe(true);
    expect(written).toEqual(['heard i1', 'silent n1', 'heard i1']);
  });

  describe('when the connection to the broker is lost', () => {
    const believed = async (views: NodeViewsService): Promise<boolean[]> => {
      const { up, punctual } = await views.view('n1');
      return [up, punctual];
    };

    it('believes no hello of before, and the next one again', async () => {
      const views = new NodeViewsService(repository);
      await views.hear(HELLO);
      expect(await believed(views)).toEqual([true, true]);
      views.lost();
      expect(await believed(views)).toEqual([false, false]);
      expect((await views.view('n1')).incarnation).toBe('i1');
      await views.hear(HELLO);
      expect(await believed(views)).toEqual([true, true]);
    });

    it('passes over a hello that had come before, and is judged after it', async () => {
      const views = new NodeViewsService(repository);
      const arrivedAt = performance.now();
      views.lost();
      await views.hear(HELLO, arrivedAt);
      expect(await believed(views)).toEqual([false, false]);
      expect(written).toEqual([]);
    });

    it('takes nobody for gone by that', async () => {
      const views = new NodeViewsService(repository);
      await views.hear(HELLO);
      views.lost();
      expect([...views.upHosts()]).toEqual(['n1']);
      expect(views.heardLedger('n1')).toBeNull();
    });

    it('has each node looked at once it is heard again, for its events were not', async () => {
      const views = new NodeViewsService(repository);
      const looked: string[] = [];
      views.onChange((host) => looked.push(host));
      for (const _ of 'twice') await views.hear(HELLO);
      expect(looked).toEqual(['n1']);
      views.lost();
      for (const _ of 'twice') await views.hear(HELLO);
      expect(looked).toEqual(['n1', 'n1']);
    });
  });
});
