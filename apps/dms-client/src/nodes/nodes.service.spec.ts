import { DmsError, type Hello, type NodeState } from '@app/contracts';
import { type NodeFacts, type NodeFactsRepository } from './node-facts.repository';
import { type NodeLooksService } from './node-looks.service';
import { type NodeViewsService } from './node-views.service';
import { NodesService } from './nodes.service';

function serviceWith(
  facts: Partial<NodeFacts>,
  upHosts: string[] = [],
  inventory: () => Promise<unknown> = () => Promise.reject(new DmsError('NODE_UNREACHABLE', 'silent')),
  hasListened = false,
  heardLedger?: string | null,
  lastHeard: Date | null = null,
  hello?: Pick<Hello, 'problem' | 'trusted_clients'>,
): NodesService {
  const known = {
    host: 'n1',
    state: 'up',
    incarnation: 'i',
    boot_id: 'b',
    protocol: 1,
    version: '1',
    bases: '["/base"]',
    last_seen: new Date(0),
    fresh: 0,
    served_ledger: null,
    ledger: 'ours',
    problem: null,
    ...facts,
  };
  const repository = {
    nodes: (host?: string) => Promise.resolve(host === undefined || host === known.host ? [known] : []),
    mounts: () => Promise.resolve(new Map()),
  };
  return new NodesService(
    repository as unknown as NodeFactsRepository,
    {
      upHosts: () => new Set(upHosts),
      heardLedger: () => heardLedger,
      hasListened,
      lastHeard: () => lastHeard,
      isLegacyQueueLost: () => undefined,
      heardProblem: () => hello,
    } as unknown as NodeViewsService,
    { inventory } as unknown as NodeLooksService,
    { keyId: 'ours' },
  );
}

describe('NodesService', () => {
  it.each<[Partial<NodeFacts>, string[], NodeState]>([
    [{ fresh: 0 }, [], 'silent'],
    [{ fresh: null, last_seen: null }, [], 'silent'],
    [{ fresh: 1 }, [], 'up'],
    [{ fresh: 0 }, ['n1'], 'up'],
    [{ state: 'silent', fresh: 1 }, [], 'silent'],
    [{ state: 'silent', fresh: 1 }, ['n1'], 'up'],
    [{ state: 'draining', fresh: 1 }, ['n1'], 'draining'],
    [{ state: 'legacy' }, [], 'legacy'],
  ])('shows a node with %j, heard %j, as %s', async (facts, upHosts, state) => {
    const { nodes } = await serviceWith(facts, upHosts).list();
    expect(nodes.map((node) => node.state)).toEqual([state]);
  });

  it('goes by what it has heard itself once it has listened for long enough', async () => {
    const silent = () => Promise.reject(new DmsError('NODE_UNREACHABLE', 'silent'));
    const { nodes } = await serviceWith({ fresh: 1 }, [], silent, true).list();
    expect(nodes.map(({ state }) => state)).toEqual(['silent']);
  });

  it.each<[string, Partial<NodeFacts>, Date | null, string | null]>([
    ['what was written, where it has heard nothing', {}, null, new Date(0).toISOString()],
    ['what it has heard itself since', {}, new Date(5_000), new Date(5_000).toISOString()],
    ['what it has heard itself alone', { last_seen: null }, new Date(5_000), new Date(5_000).toISOString()],
    [
      'what another has heard since',
      { last_seen: new Date(9_000) },
      new Date(5_000),
      new Date(9_000).toISOString(),
    ],
    ['never', { last_seen: null }, null, null],
  ])('shows as last seen %s', async (_, facts, heard, shown) => {
    const service = serviceWith(facts, [], undefined, false, undefined, heard);
    expect((await service.list()).nodes[0].last_seen).toBe(shown);
  });

  it('shows what is known of a node that does not answer, and why', async () => {
    expect(await serviceWith({}).get('n1')).toMatchObject({
      host: 'n1',
      bases: ['/base'],
      inventory: null,
      differences: null,
      error_code: 'NODE_UNREACHABLE',
      error_msg: 'silent',
    });
  });

  it('shows what a node sees', async () => {
    const seen = { mounts: [], foreign: [], processes: [] };
    const service = serviceWith({}, [], () => Promise.resolve({ incarnation: 'i', seen }));
    expect(await service.get('n1')).toMatchObject({ inventory: seen, differences: [], error_code: null });
  });

  it.each<[string, Partial<NodeFacts>, string | null | undefined, string | null]>([
    ['nothing, of one that serves ours', { served_ledger: 'ours' }, 'ours', null],
    ['what it says itself', { served_ledger: null }, 'theirs', 'theirs'],
    ['what was written, of one that is not heard', { served_ledger: 'theirs' }, undefined, 'theirs'],
    ['nothing, once it says that it serves none', { served_ledger: 'theirs' }, null, null],
    ['nothing, where our ledger has no name', { ledger: null }, 'theirs', null],
  ])('shows of another ledger %s', async (_, facts, heard, shown) => {
    const service = serviceWith(facts, [], undefined, false, heard);
    expect((await service.list()).nodes[0].other_ledger).toBe(shown);
  });

  it('tells that a node has lost the queue of legacy callers', async () => {
    const shown = async (facts: Partial<NodeFacts>): Promise<boolean> =>
      (await serviceWith(facts).list()).nodes[0].legacy_queue_lost;
    expect(await shown({ legacy_queue_lost: 1 })).toBe(true);
    expect(await shown({ legacy_queue_lost: null })).toBe(false);
  });

  it.each<
    [string, Partial<NodeFacts>, Pick<Hello, 'problem' | 'trusted_clients'> | undefined, string | null]
  >([
    ['nothing, of one that serves', {}, {}, null],
    ['what it says itself', {}, { problem: 'the run directory is full' }, 'the run directory is full'],
    ['nothing, once it says so', { problem: 'full' }, {}, null],
    ['what was written, of one that is not heard', { problem: 'full' }, undefined, 'full'],
    ['nothing, of one that trusts this key', {}, { trusted_clients: ['theirs', 'ours'] }, null],
    [
      'that it refuses this key',
      {},
      { trusted_clients: ['theirs'] },
      "refuses the key of this dms-client (ours): add this dms-client's key to DMS_TRUSTED_KEYS_FILE of the node",
    ],
  ])('shows as what keeps a node from serving %s', async (_, facts, hello, shown) => {
    const service = serviceWith(facts, ['n1'], undefined, true, null, null, hello);
    expect((await service.list()).nodes[0].problem).toBe(shown);
  });

  it("asks a node which ledger it serves, and shows no difference for that one's mounts", async () => {
    const mount = { backup_target_id: 't1', state: 'mounted', layers: 1, mount_path: '/base/t1', users: [] };
    const seen = { mounts: [mount], foreign: [], processes: [] };
    const asked = (ledger: string) => () => Promise.resolve({ incarnation: 'i', seen, ledger });
    expect(await serviceWith({}, [], asked('theirs')).get('n1')).toMatchObject({
      other_ledger: 'theirs',
      differences: [],
    });
    expect(await serviceWith({}, [], asked('ours')).get('n1')).toMatchObject({
      other_ledger: null,
      differences: [{ kind: 'not_in_ledger' }],
    });
  });

  it('does not hide a defect behind a silent node', async () => {
    const service = serviceWith({}, [], () => Promise.reject(new TypeError('defect')));
    await expect(service.get('n1')).rejects.toThrow(TypeError);
  });

  it('knows no other node', async () => {
    await expect(serviceWith({}).get('n2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
