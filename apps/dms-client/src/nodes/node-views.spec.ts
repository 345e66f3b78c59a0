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

  it('takes a node that says it leaves for one that is not up, and for nothing else', async () => {
    const views = new NodeViewsService(repository);
    await views.hear(HELLO);
    expect(await views.view('n1')).toEqual({
      up: true,
      incarnation: 'i1',
      legacy: false,
      bases: ['/base'],
      ledger: null,
    });
    await views.bidFarewell({ ...HELLO, leaving: true });
    // The same as if its hellos had not been heard for long: what it commands or has mounted is not touched by it.
    expect(await views.view('n1')).toEqual({
      up: false,
      incarnation: 'i1',
      legacy: false,
      bases: ['/base'],
      ledger: null,
    });
    expect([...views.upHosts()]).toEqual([]);
    expect(written).toEqual(['heard i1', 'silent n1']);
  });

  it('writes the hello that comes after it at once', async () => {
    const views = new NodeViewsService(repository);
    await views.hear(HELLO);
    await views.bidFarewell({ ...HELLO, leaving: true });
    await views.hear(HELLO);
    expect((await views.view('n1')).up).toBe(true);
    expect(written).toEqual(['heard i1', 'silent n1', 'heard i1']);
  });
});
