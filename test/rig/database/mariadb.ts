import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Connection, createConnection, type QueryResult } from 'mysql2/promise';
import { Child } from '../support/child';
import { runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { packageVersions, provideFromCache } from '../support/golden';
import { freePort } from '../support/ports';
import { Service } from '../support/service';
import { within } from '../support/wait';

const QUERY_TIMEOUT_MS = 30_000;
const USER = 'dms';

/** Settings of a private MariaDB. */
export interface MariaDbOptions {
  readonly directory: string;
  /** Added to the server's command line, such as `--default-time-zone=+05:30`. */
  readonly extraArguments?: readonly string[];
  /** Of its account; members of a cluster share it. Default: one of its own. */
  readonly password?: string;
}

/**
 * A private MariaDB server with an empty database `dms` and one account that may do anything.
 *
 * Durability is the server's default (each commit reaches the disk), as in production: what a test loses by a `kill`
 * would be lost there too.
 */
export class MariaDb extends Service {
  protected readonly data: string;
  private readonly password: string;
  private port = 0;

  constructor(
    private readonly options: MariaDbOptions,
    title = 'MariaDB',
  ) {
    super(title, options.directory);
    this.data = join(options.directory, 'data');
    this.password = options.password ?? randomBytes(12).toString('hex');
  }

  /** Address of the database `dms`, with its account. */
  get url(): string {
    return this.urlOf('dms');
  }

  /** Address of a database of this server, with the account that may do anything. */
  urlOf(database: string): string {
    return `mysql://${USER}:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  /** Makes an empty database, in place of one of the same name, and returns its address. */
  async createDatabase(name: string): Promise<string> {
    await this.query(`DROP DATABASE IF EXISTS \`${name}\``);
    await this.query(`CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4`);
    return this.urlOf(name);
  }

  async dropDatabase(name: string): Promise<void> {
    await this.query(`DROP DATABASE IF EXISTS \`${name}\``);
  }

  /**
   * Runs one statement over a connection of its own and returns mysql2's result: rows of a SELECT, a header with
   * `affectedRows` otherwise. With `database` null the connection chooses no database.
   */
  async query<T extends QueryResult>(
    sql: string,
    values: readonly (string | number | boolean | null | Date)[] = [],
    database: string | null = 'dms',
  ): Promise<T> {
    const connection = await this.connect(database);
    try {
      const running = connection.query<T>(sql, [...values]);
      const [result] = await within(running, QUERY_TIMEOUT_MS, `MariaDB to answer ${sql}`);
      return result;
    } finally {
      connection.destroy();
    }
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.port = await freePort();
    return [this.port];
  }

  protected override async prepare(): Promise<void> {
    if (!existsSync(this.data)) await provideInitialData(this.data);
    await mkdir(join(this.directory, 'tmp'), { recursive: true });
    await writeFile(join(this.directory, 'accounts.sql'), this.accounts(), { mode: 0o600 });
  }

  protected override async launch(): Promise<Child> {
    return await Child.start({
      name: this.title,
      command: MARIADBD,
      args: [...this.baseArguments(), ...(await this.launchArguments())],
      directory: this.directory,
      logFile: this.logFile,
      environment: cleanEnvironment({ HOME: this.directory }),
    });
  }

  /** The arguments of each run of the program on these data. */
  protected baseArguments(): string[] {
    return [
      '--no-defaults',
      ...asRoot(),
      `--datadir=${this.data}`,
      `--tmpdir=${join(this.directory, 'tmp')}`,
      '--bind-address=127.0.0.1',
      `--port=${this.port}`,
      // Relative to the data directory: the path of a socket may not be longer than 107 bytes.
      '--socket=server.sock',
      `--pid-file=${join(this.directory, 'server.pid')}`,
      '--skip-name-resolve',
      '--character-set-server=utf8mb4',
      '--max-connections=500',
      ...INNODB_FILES,
      ...(this.options.extraArguments ?? []),
    ];
  }

  /** Further arguments of the next start. */
  protected async launchArguments(): Promise<string[]> {
    return Promise.resolve([`--init-file=${join(this.directory, 'accounts.sql')}`]);
  }

  /** The password is this server's alone, so a connection is the proof that it is this server. */
  protected override async isReady(): Promise<boolean> {
    try {
      const connection = await this.connect('dms');
      connection.destroy();
      return true;
    } catch {
      return false;
    }
  }

  private async connect(database: string | null): Promise<Connection> {
    return await createConnection({
      host: '127.0.0.1',
      port: this.port,
      user: USER,
      password: this.password,
      ...(database === null ? {} : { database }),
      connectTimeout: 5000,
    });
  }

  /** Run by the server before it listens. Statements that are true already change nothing. */
  private accounts(): string {
    return [
      'CREATE DATABASE IF NOT EXISTS dms CHARACTER SET utf8mb4;',
      // The initial data have accounts without a password, reachable by any user of the machine.
      "DELETE FROM mysql.global_priv WHERE Host <> 'localhost';",
      'FLUSH PRIVILEGES;',
      `CREATE OR REPLACE USER '${USER}'@'127.0.0.1' IDENTIFIED BY '${this.password}';`,
      `GRANT ALL PRIVILEGES ON *.* TO '${USER}'@'127.0.0.1' WITH GRANT OPTION;`,
      '',
    ].join('\n');
  }
}

export const MARIADBD = '/usr/sbin/mariadbd';

/** The default log of 96 MB would be written at each start of a test run. */
const INNODB_FILES = ['--innodb-log-file-size=16M'];

/** As root the server wants to be told that this is meant. */
function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

async function provideInitialData(data: string): Promise<void> {
  const recipe = {
    packages: await packageVersions(['mariadb-server', 'mariadb-server-core']),
    files: INNODB_FILES,
    user: userInfo().username,
  };
  await provideFromCache({
    name: 'mariadb',
    recipe,
    target: data,
    make: async (directory) => {
      // Of its own: a server that starts removes other servers' temporary tables from a shared one.
      const temporary = `${directory}-temporary`;
      await mkdir(temporary, { recursive: true });
      await runCommand(
        '/usr/bin/mariadb-install-db',
        [
          '--no-defaults',
          `--user=${recipe.user}`,
          `--datadir=${directory}`,
          `--tmpdir=${temporary}`,
          '--skip-test-db',
          '--auth-root-authentication-method=normal',
          ...INNODB_FILES,
        ],
        { timeoutMs: 120_000 },
      );
      await rm(temporary, { recursive: true, force: true });
    },
  });
}
