import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child } from '../support/child';
import { runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { Service } from '../support/service';
import { allDone } from '../support/wait';
import { REGION, USERS } from './accounts';
import { pythonApplicationAnswers, startPythonApplication } from './uwsgi';

const COMMAND_TIMEOUT_MS = 300_000;

/** Settings of a private Keystone. */
export interface KeystoneOptions {
  readonly directory: string;
  /** How long a token is good for. Default: an hour. */
  readonly tokenLifetimeSeconds?: number;
}

/**
 * A private Keystone on SQLite.
 */
export class Keystone extends Service {
  /** Where the key manager is; set before `start`, since it stands in the catalogue. */
  keyManagerUrl = 'http://127.0.0.1:1';
  private port = 0;

  constructor(private readonly options: KeystoneOptions) {
    super('Keystone', options.directory);
  }

  /** With the version, as clients want it. */
  get authUrl(): string {
    return `http://127.0.0.1:${this.port}/v3`;
  }

  /** Databases and keys: what makes one Keystone differ from another. */
  get data(): string {
    return join(this.directory, 'data');
  }

  /** Makes database, keys and administrator in `data`. Takes several seconds. */
  async initialize(): Promise<void> {
    await mkdir(this.data, { recursive: true, mode: 0o700 });
    await this.writeConfiguration();
    // To root the commands insist on being told whose the keys shall be; others may not choose.
    const owner = process.getuid?.() === 0 ? ['--keystone-user', 'root', '--keystone-group', 'root'] : [];
    await allDone([
      this.manage(['db_sync']),
      this.manage(['fernet_setup', ...owner]),
      this.manage(['credential_setup', ...owner]),
    ]);
    // Keystone reads on one connection while it writes on another; with SQLite's default journal it would wait for
    // itself and then fail.
    await this.sql(['PRAGMA journal_mode=WAL']);
    const url = 'http://127.0.0.1:1/v3';
    await this.manage([
      'bootstrap',
      ...['--bootstrap-username', USERS.admin.name, '--bootstrap-password', USERS.admin.password],
      ...['--bootstrap-project-name', USERS.admin.project, '--bootstrap-role-name', 'admin'],
      ...['--bootstrap-service-name', 'keystone', '--bootstrap-region-id', REGION],
      ...['--bootstrap-admin-url', url, '--bootstrap-internal-url', url, '--bootstrap-public-url', url],
    ]);
  }

  /** Moves what SQLite keeps beside the database file into it, so that the file alone can be copied. */
  async settleDatabase(): Promise<void> {
    await this.sql(['PRAGMA wal_checkpoint(TRUNCATE)']);
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.port = await freePort();
    return [this.port];
  }

  protected override async prepare(): Promise<void> {
    await this.writeConfiguration();
    // Straight into the database: a request for each endpoint would need a Keystone that runs with a wrong catalogue.
    await this.sql([
      endpointUpdate('identity', this.authUrl),
      endpointUpdate('key-manager', this.keyManagerUrl),
    ]);
  }

  protected override async launch(): Promise<Child> {
    return await startPythonApplication({
      name: this.title,
      file: '/usr/bin/keystone-wsgi-public',
      port: this.port,
      threads: 4,
      directory: this.directory,
      logFile: this.logFile,
      environment: this.environment(),
    });
  }

  protected override async isReady(child: Child): Promise<boolean> {
    return await pythonApplicationAnswers(child, this.authUrl);
  }

  private environment(): Record<string, string> {
    return cleanEnvironment({ HOME: this.directory, OS_KEYSTONE_CONFIG_DIR: this.directory });
  }

  private async manage(args: readonly string[]): Promise<void> {
    await runCommand(
      '/usr/bin/keystone-manage',
      ['--config-file', join(this.directory, 'keystone.conf'), ...args],
      {
        directory: this.directory,
        environment: this.environment(),
        timeoutMs: COMMAND_TIMEOUT_MS,
      },
    );
  }

  private async sql(statements: readonly string[]): Promise<void> {
    await runCommand('/usr/bin/python3', ['-c', RUN_SQL, join(this.data, 'keystone.db'), ...statements], {
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
  }

  private async writeConfiguration(): Promise<void> {
    const text = `
[DEFAULT]
log_file = ${join(this.directory, 'keystone.log')}
use_stderr = false
public_endpoint = http://127.0.0.1:${this.port}/

[database]
connection = sqlite:///${join(this.data, 'keystone.db')}

[token]
provider = fernet
expiration = ${this.options.tokenLifetimeSeconds ?? 3600}

[fernet_tokens]
key_repository = ${join(this.data, 'fernet-keys')}

[fernet_receipts]
# The default lies in /etc, also for the setup command.
key_repository = ${join(this.data, 'fernet-keys')}

[credential]
key_repository = ${join(this.data, 'credential-keys')}

[identity]
password_hash_algorithm = bcrypt
# The cheapest that bcrypt allows: the passwords here protect nothing.
password_hash_rounds = 4

[cache]
# In the process: without a cache each request makes some two hundred queries.
enabled = true
backend = oslo_cache.dict

[oslo_policy]
enforce_scope = false
`;
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await writeFile(join(this.directory, 'keystone.conf'), text, { mode: 0o600 });
  }
}

const RUN_SQL = `
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], timeout=30)
for statement in sys.argv[2:]:
    connection.execute(statement)
connection.commit()
connection.close()
`;

function endpointUpdate(service: string, url: string): string {
  return `UPDATE endpoint SET url = '${url}' WHERE service_id IN (SELECT id FROM service WHERE type = '${service}')`;
}
