import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type RowDataPacket } from 'mysql2/promise';
import { SwitchedAddress } from '../support/switched-address';
import { allDone, waitFor } from '../support/wait';
import { MariaDb } from './mariadb';

const REPLICATED_TIMEOUT_MS = 30_000;
const APPLICATION = 'application';

/**
 * A primary and a replica that copies it asynchronously, behind one address.
 *
 * The account of the address is an ordinary one: a server that is read-only is so for it.
 */
export class ReplicatedDatabase {
  readonly primary: MariaDb;
  readonly replica: MariaDb;
  readonly #password = randomBytes(12).toString('hex');
  #address: SwitchedAddress | undefined;

  constructor(readonly directory: string) {
    const server = (name: string, id: number): MariaDb =>
      new MariaDb(
        {
          directory: join(directory, name),
          password: this.#password,
          extraArguments: [
            `--server-id=${id}`,
            '--log-bin=changes',
            '--binlog-format=ROW',
            // The replica may lag: nobody waits for it.
            '--log-slave-updates=ON',
          ],
        },
        `MariaDB ${name}`,
      );
    this.primary = server('primary', 1);
    this.replica = server('replica', 2);
  }

  /** The address of the database `dms` on the server that is the primary now. */
  get url(): string {
    if (this.#address === undefined) throw new Error('The replicated database was not started');
    return `mysql://${APPLICATION}:${this.#password}@127.0.0.1:${this.#address.port}/dms`;
  }

  async start(): Promise<void> {
    await allDone([this.primary.start(), this.replica.start()]);
    const { port, username, password } = new URL(this.primary.url);
    const [{ position }] = await this.primary.query<RowDataPacket[]>('SELECT @@gtid_binlog_pos AS position');
    // Until here both made the same by themselves: the replica takes over what comes after it.
    await this.replica.query('RESET MASTER');
    await this.replica.query('SET GLOBAL gtid_slave_pos = ?', [String(position)]);
    await this.replica.query(
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = '${username}',
       MASTER_PASSWORD = '${password}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1`,
    );
    await this.replica.query('SET GLOBAL read_only = 1');
    await this.replica.query('START SLAVE');
    await this.primary.query(`CREATE USER '${APPLICATION}'@'127.0.0.1' IDENTIFIED BY '${this.#password}'`);
    for (const names of ['`dms`', '`fleet\\_%`'])
      await this.primary.query(`GRANT ALL PRIVILEGES ON ${names}.* TO '${APPLICATION}'@'127.0.0.1'`);
    await this.replicated();
    this.#address = await SwitchedAddress.start(Number(port));
  }

  /** Resolves when the replica has all that the primary has committed. */
  async replicated(): Promise<void> {
    const [{ position }] = await this.primary.query<RowDataPacket[]>('SELECT @@gtid_binlog_pos AS position');
    const hasAll = async (): Promise<boolean> => {
      const [{ own }] = await this.replica.query<RowDataPacket[]>('SELECT @@gtid_slave_pos AS own');
      return own === position;
    };
    await waitFor(hasAll, { timeoutMs: REPLICATED_TIMEOUT_MS, what: 'the replica to have all commits' });
  }

  /** The replica gets nothing more: what the primary commits from now on is lost by `failOver`. */
  async lag(): Promise<void> {
    await this.replica.query('STOP SLAVE');
  }

  /** Kills the primary and puts the replica in its place. */
  async failOver(): Promise<void> {
    await this.primary.kill();
    await this.replica.query('STOP SLAVE');
    await this.replica.query('RESET SLAVE ALL');
    await this.replica.query('SET GLOBAL read_only = 0');
    this.#address?.switchTo(Number(new URL(this.replica.url).port));
  }

  async stop(): Promise<void> {
    await this.#address?.stop();
    await allDone([this.primary.stop(), this.replica.stop()]);
  }
}
