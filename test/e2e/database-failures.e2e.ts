import { randomBytes } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { type Answer } from '../fleet/api';
import { type ClientProcess } from '../fleet/client-process';
import { Fleet } from '../fleet/fleet';
import { type S3Target } from '../fleet/targets';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Promised: readiness shows a database that fails within 10 s. Asserted at three times that. */
const DOWN_MS = 30_000;
/** Promised: dms-client recovers within 10 s. */
const RECOVERED_MS = 30_000;
/** A KILL that is not answered is given up. */
const ADMINISTRATION_MS = 20_000;
const ACCOUNT = 'ordinary';

interface Failure {
  readonly name: string;
  readonly cause: () => Promise<unknown>;
  readonly mend: () => Promise<unknown>;
  /** What readiness says of the database; null: the server itself is well, and readiness stays up. */
  readonly says: RegExp | null;
  /** Only a request that writes shows it. */
  readonly showsInUse?: boolean;
}

/** A database of this file's own, which is broken in many ways. dms-client uses an account without special rights. */
describeOnRig('a database that fails', (shared) => {
  const password = randomBytes(12).toString('hex');
  let rig: Rig;
  let fleet: Fleet;
  let client: ClientProcess;
  let database: string;
  let root: Connection;
  let fillers: Connection[] = [];

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['database'] });
    fleet = await Fleet.start({ ...shared, databaseUrl: rig.database.url }, { clients: 0 });
    const url = new URL(fleet.databaseUrl);
    database = url.pathname.slice(1);
    await administer();
    [url.username, url.password] = [ACCOUNT, password];
    client = fleet.addClient({ DMS_DB_URL: url.href, DMS_SETTLE_INTERVAL: '0.5' });
    await client.start();
    await fleet.acquainted();
  }, 120_000);

  afterAll(async () => {
    root?.destroy();
    await fleet?.stop();
    await rig?.stop();
  });

  async function administer(): Promise<void> {
    root = await createConnection({ uri: fleet.databaseUrl, connectTimeout: ADMINISTRATION_MS });
    root.on('error', () => undefined);
    // The rig removes accounts that are not its own at each start.
    await root.query(`CREATE OR REPLACE USER ${ACCOUNT}@'127.0.0.1' IDENTIFIED BY '${password}'`);
    await root.query(`GRANT ALL ON ${database}.* TO ${ACCOUNT}@'127.0.0.1'`);
  }

  const connections = async (): Promise<number[]> => {
    const [rows] = await root.query<RowDataPacket[]>(
      'SELECT id FROM information_schema.processlist WHERE user = ?',
      [ACCOUNT],
    );
    return rows.map(({ id }) => Number(id));
  };
  const killAll = async (): Promise<void> => {
    // One may have ended by itself.
    for (const id of await connections()) await root.query(`KILL ${id}`).catch(() => undefined);
  };
  /** Has the server send an error of this number for each write to these tables. */
  const inject = async (number: number): Promise<void> => {
    for (const table of ['target_mounts', 'service_uptime', 'backup_target_mount_ledger']) {
      for (const event of ['INSERT', 'UPDATE']) {
        await root.query(
          `CREATE TRIGGER ${table}_${event} BEFORE ${event} ON ${table} FOR EACH ROW
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${number}, MESSAGE_TEXT = 'as if'`,
        );
      }
    }
  };
  const withdraw = async (): Promise<void> => {
    for (const table of ['target_mounts', 'service_uptime', 'backup_target_mount_ledger'])
      for (const event of ['INSERT', 'UPDATE']) await root.query(`DROP TRIGGER ${table}_${event}`);
  };
  const global = (assignment: string) => (): Promise<unknown> => root.query(`SET GLOBAL ${assignment}`);

  const readiness = async (): Promise<{ status: number; database: Record<string, unknown> }> => {
    const { status, body } = await client.api.get<{ details: { database: Record<string, unknown> } }>(
      '/health/ready',
    );
    return { status, database: body.details.database };
  };

  const FAILURES: Failure[] = [
    {
      name: 'becomes read-only',
      cause: global('read_only = 1'),
      mend: global('read_only = 0'),
      says: /read-only/,
    },
    {
      name: 'starts only transactions that read',
      cause: async () => {
        await global('tx_read_only = 1')();
        await killAll();
      },
      mend: global('tx_read_only = 0'),
      says: /read-only/,
    },
    {
      name: 'is locked for a backup',
      cause: () => root.query('FLUSH TABLES WITH READ LOCK'),
      mend: () => root.query('UNLOCK TABLES'),
      says: /does not answer/,
    },
    {
      name: 'hangs',
      cause: () => Promise.resolve(rig.database.pause()),
      mend: () => Promise.resolve(rig.database.resume()),
      says: /does not answer|cannot be reached/,
    },
    {
      name: 'is shut down',
      cause: () => rig.database.stop(),
      mend: async () => {
        await rig.database.start();
        await administer();
      },
      says: /cannot be reached/,
    },
    {
      name: 'accepts no more connections',
      cause: async () => {
        await global('max_connections = 10')();
        await killAll();
        fillers = [];
        const filler = fleet.databaseUrl;
        for (let n = 0; n < 30; n += 1) {
          const made = await createConnection(filler).catch(() => null);
          if (made === null) break;
          fillers.push(made);
        }
        await killAll();
      },
      mend: async () => {
        for (const filler of fillers) filler.destroy();
        await global('max_connections = 500')();
      },
      says: /accepts no more connections/,
    },
    {
      name: 'has a limit for the account',
      cause: async () => {
        await root.query(`ALTER USER ${ACCOUNT}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1`);
        await killAll();
      },
      mend: () => root.query(`ALTER USER ${ACCOUNT}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0`),
      says: /ER_USER_LIMIT_REACHED/,
    },
    {
      name: 'has another password',
      cause: async () => {
        await root.query(`ALTER USER ${ACCOUNT}@'127.0.0.1' IDENTIFIED BY 'another'`);
        await killAll();
      },
      mend: () => root.query(`ALTER USER ${ACCOUNT}@'127.0.0.1' IDENTIFIED BY '${password}'`),
      says: /refuses the login/,
    },
    {
      name: 'lacks a table',
      cause: () => root.query('RENAME TABLE service_uptime TO hidden_1, target_mounts TO hidden_2'),
      mend: () => root.query('RENAME TABLE hidden_1 TO service_uptime, hidden_2 TO target_mounts'),
      says: /lacks a table/,
    },
    ...[1021, 1180, 3100].map((number) => ({
      name: `answers each write with error ${number}`,
      cause: () => inject(number),
      mend: withdraw,
      says: /no space left|cannot work/,
      showsInUse: true,
    })),
    ...[1317, 1969].map((number) => ({
      name: `breaks off each write with error ${number}, but is well`,
      cause: () => inject(number),
      mend: withdraw,
      says: null,
    })),
  ];

  it.each(FAILURES)(
    'While the database $name, callers get 503 with Retry-After, readiness says so, and both recover.',
    async ({ cause, mend, says, showsInUse }) => {
      const held = await mounted();
      const fresh = await fleet.targets.s3('fresh');
      const request = await fleet.targets.request(fleet.node.host, 1, fresh);
      const key = { 'Idempotency-Key': randomBytes(8).toString('hex') };
      const mount = (): Promise<Answer> => client.api.post('/api/v1/mount', request, key);
      await cause();
      try {
        if (says !== null) {
          const down = await waitFor(
            async () => {
              if (showsInUse) await Promise.all(use(held));
              const seen = await readiness();
              return seen.status === 503 ? seen : null;
            },
            { timeoutMs: DOWN_MS, what: 'readiness to go down', intervalMs: 200 },
          );
          expect(String(down.database.message)).toMatch(says);
        }
        const answers = await Promise.all([mount(), ...use(held)]);
        const seen = answers.map(({ status, body, headers }) => [
          status,
          body.error_code ?? body.status,
          headers.get('retry-after') !== null,
        ]);
        // A list needs no write.
        const list = says === null || seen[3][0] === 200 ? seen[3] : [503, 'LEDGER_UNAVAILABLE', true];
        const refused = [503, 'LEDGER_UNAVAILABLE', true];
        expect(seen).toEqual([refused, refused, refused, list]);
        if (says !== null) expect((await readiness()).status).toBe(503);
      } finally {
        await mend();
      }
      await waitFor(() => client.ready(), {
        timeoutMs: RECOVERED_MS,
        what: 'readiness to come back',
        intervalMs: 200,
      });
      // The key was not used up: the request is carried out, not its refusal repeated.
      expect((await mount()).body).toMatchObject({ status: 'success' });
      expect((await client.api.post('/api/v1/unmount', request)).body).toMatchObject({ status: 'success' });
      expect((await client.api.post('/api/v1/unmount', held.request)).body).toMatchObject({
        status: 'success',
      });
    },
    120_000,
  );

  it('A request succeeds after somebody has killed all connections of dms-client.', async () => {
    const held = await mounted();
    await killAll();
    expect((await client.api.post('/api/v1/unmount', held.request)).body).toMatchObject({
      status: 'success',
    });
  }, 60_000);

  interface Held {
    readonly target: S3Target;
    readonly request: Record<string, unknown>;
  }

  async function mounted(): Promise<Held> {
    const target = await fleet.targets.s3('held');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const { body } = await client.api.post('/api/v1/mount', { ...request, lease_s: 600 });
    expect(body).toMatchObject({ status: 'success' });
    return { target, request };
  }

  /** An unmount, a renewal and a list. */
  function use({ target, request }: Held): Promise<Answer>[] {
    return [
      client.api.post('/api/v1/unmount', request),
      client.api.post(`/api/v1/bindings/1/${target.id}/renew?host=${fleet.node.host}`, {}),
      client.api.get('/api/v1/bindings'),
    ];
  }
});
