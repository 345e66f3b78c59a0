import { join } from 'node:path';
import { describeOnRig } from '../e2e/on-rig';
import { type ClientProcess } from '../fleet/client-process';
import { Fleet } from '../fleet/fleet';
import { JobLoad } from '../fleet/job-load';
import { mountsBelow } from '../fleet/mount-table';
import { buildOlderVersion, hasOlderVersion } from '../fleet/older-version';
import { type Programs, PROGRAMS } from '../fleet/programs';
import { waitFor } from '../rig';

const TEST_MS = 400_000;
const GONE_MS = 90_000;

if (hasOlderVersion())
  describeOnRig('an upgrade under load', (rig) => {
    let older: Programs;
    let fleet: Fleet;
    let load: JobLoad;
    let asked: Set<ClientProcess>;

    beforeAll(async () => {
      older = await buildOlderVersion(join(rig.directory, 'older-version'));
    }, TEST_MS);

    beforeEach(async () => {
      fleet = await Fleet.start(rig, { nodes: 0, clients: 0 });
      const node = fleet.addNode();
      const clients = [fleet.addClient(), fleet.addClient()];
      node.program = older.server;
      await node.start();
      for (const client of clients) {
        client.program = older.client;
        await client.start();
      }
      await fleet.acquainted();
      asked = new Set(clients);
      const targets = [await fleet.targets.s3('upgrade-1'), await fleet.targets.s3('upgrade-2')];
      load = new JobLoad(fleet, targets, asked);
      await load.goesOn();
    }, TEST_MS);

    afterEach(async () => {
      await load?.end();
      await fleet?.stop();
    }, TEST_MS);

    const upgradeNode = async (): Promise<void> => {
      await fleet.node.stop();
      fleet.node.program = PROGRAMS.server;
      await fleet.node.start();
      await load.goesOn();
    };
    const upgradeClient = async (client: ClientProcess): Promise<void> => {
      asked.delete(client);
      await client.stop();
      client.program = PROGRAMS.client;
      await client.start();
      asked.add(client);
      await load.goesOn();
    };
    const nothingWrong = async (): Promise<void> => {
      await load.end();
      expect({ lies: load.lies, failures: load.failures }).toEqual({ lies: [], failures: [] });
      await waitFor(() => mountsBelow(fleet.node.base).length === 0, {
        timeoutMs: GONE_MS,
        what: 'the last mount to go',
      });
    };

    it(
      'The node first, then one client beside an older one: no job is told a lie, none fails.',
      async () => {
        await upgradeNode();
        for (const client of fleet.clients) await upgradeClient(client);
        await nothingWrong();
      },
      TEST_MS,
    );

    it(
      'The clients first, one beside an older one, then the node: no job is told a lie, none fails.',
      async () => {
        for (const client of fleet.clients) await upgradeClient(client);
        await upgradeNode();
        await nothingWrong();
      },
      TEST_MS,
    );
  });
else
  describe.skip('an upgrade under load', () => {
    it('needs the older version from the history of Git: this checkout is shallow or an archive', () =>
      undefined);
  });
