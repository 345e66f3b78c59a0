import { CLUSTER_OF_SERVER, SERVER_OF_SESSION, serverRunOf, ServerRuns } from './server-run';

describe('which run of which server answers', () => {
  const answers =
    (rows: Record<string, unknown[]>) =>
    (sql: string): Promise<unknown> =>
      Promise.resolve(rows[sql]);

  it('The members of a Galera cluster are one server.', async () => {
    const ask = answers({
      [CLUSTER_OF_SERVER]: [{ Variable_name: 'wsrep_cluster_state_uuid', Value: 'c1' }],
    });
    expect(await serverRunOf(ask)).toEqual({ server: 'c1', session: null });
  });

  it.each([[[]], [[{ Value: '' }]]])(
    'A server outside a cluster is known by its names: %j.',
    async (cluster) => {
      const ask = answers({
        [CLUSTER_OF_SERVER]: cluster,
        [SERVER_OF_SESSION]: [{ server: '1/db/3306', session: '12' }],
      });
      expect(await serverRunOf(ask)).toEqual({ server: '1/db/3306', session: 12 });
    },
  );

  describe('are told apart', () => {
    let others: number;
    let runs: ServerRuns;
    beforeEach(() => {
      others = 0;
      runs = new ServerRuns(() => (others += 1));
    });
    const opened = (server: string, session: number | null, latest = runs.latest): number => {
      runs.opened({ server, session }, latest);
      return others;
    };

    it('The first session and later ones of the same run are nothing new.', () => {
      expect([opened('a', 5), opened('a', 6), opened('a', 90)]).toEqual([0, 0, 0]);
    });

    it('Another server is told once, and again when the first one is back.', () => {
      opened('a', 5);
      expect([opened('b', 50), opened('b', 51), opened('a', 6)]).toEqual([1, 1, 2]);
    });

    it('A restart of the same server begins its numbers anew.', () => {
      opened('a', 5);
      opened('a', 6);
      expect([opened('a', 5), opened('a', 6)]).toEqual([1, 1]);
    });

    it('Sessions that are opened at the same time may be told in any order.', () => {
      opened('a', 5);
      const { latest } = runs;
      expect([opened('a', 8, latest), opened('a', 7, latest), opened('a', 6, latest)]).toEqual([0, 0, 0]);
    });

    it.each(['b', 'a'])(
      'Sessions that are opened at the same time after a change to %s tell it once.',
      (server) => {
        opened('a', 90);
        const { latest } = runs;
        expect([opened(server, 5, latest), opened(server, 7, latest), opened(server, 6, latest)]).toEqual([
          1, 1, 1,
        ]);
      },
    );

    it('In a cluster it does not matter which member answers.', () => {
      expect([opened('c1', null), opened('c1', null), opened('c2', null)]).toEqual([0, 0, 1]);
    });
  });
});
