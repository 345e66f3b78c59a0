import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child } from '../support/child';
import { runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { Service } from '../support/service';
import { REGION, USERS } from './accounts';
import { pythonApplicationAnswers, startPythonApplication } from './uwsgi';

const COMMAND_TIMEOUT_MS = 300_000;

/** Settings of a private Barbican. */
export interface BarbicanOptions {
  readonly directory: string;
  /**
   * How long Barbican trusts a token that Keystone has confirmed. Default: not at all, so that a revoked token is
   * refused at once; in production it is 300.
   */
  readonly tokenCacheSeconds?: number;
  /** The policies of newer releases, where `member` may read secrets and `observer` may not. */
  readonly newPolicies?: boolean;
}

/**
 * A private Barbican on SQLite, with the built-in encryption of payloads.
 */
export class Barbican extends Service {
  /** Where Keystone is; set before `start`. */
  authUrl = 'http://127.0.0.1:1/v3';
  private port = 0;

  constructor(private readonly options: BarbicanOptions) {
    super('Barbican', options.directory);
  }

  /** Without a version, as it stands in the catalogue. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Database and encryption key. */
  get data(): string {
    return join(this.directory, 'data');
  }

  /** Makes database and key in `data`. */
  async initialize(): Promise<void> {
    await mkdir(this.data, { recursive: true, mode: 0o700 });
    await writeFile(join(this.data, 'key'), randomBytes(32).toString('base64'), { mode: 0o600 });
    await this.writeConfiguration();
    await runCommand('/usr/bin/python3', ['-m', 'barbican.cmd.db_manage', 'upgrade'], {
      directory: this.directory,
      environment: this.environment(),
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.port = await freePort();
    return [this.port];
  }

  protected override async prepare(): Promise<void> {
    if (!existsSync(join(this.data, 'key'))) throw new Error('Barbican has no data; call initialize() first');
    await this.writeConfiguration();
    await writeFile(join(this.directory, 'paste.ini'), PASTE);
    await writeFile(join(this.directory, 'application.py'), APPLICATION);
  }

  protected override async launch(): Promise<Child> {
    return await startPythonApplication({
      name: this.title,
      file: join(this.directory, 'application.py'),
      port: this.port,
      // Two requests that write at once make SQLite answer 'database is locked', which Barbican passes on as 500.
      threads: 1,
      directory: this.directory,
      logFile: this.logFile,
      environment: this.environment(),
    });
  }

  protected override async isReady(child: Child): Promise<boolean> {
    return await pythonApplicationAnswers(child, this.url);
  }

  /** Barbican takes no path of a configuration file; it looks in the home directory. */
  private environment(): Record<string, string> {
    return cleanEnvironment({ HOME: this.directory, PASTE_FILE: join(this.directory, 'paste.ini') });
  }

  private async writeConfiguration(): Promise<void> {
    const key = await readFile(join(this.data, 'key'), 'utf8');
    const { name, password, project } = USERS.barbican;
    const text = `
[DEFAULT]
host_href = ${this.url}
sql_connection = sqlite:///${join(this.data, 'barbican.db')}
db_auto_create = false
log_file = ${join(this.directory, 'barbican.log')}
use_stderr = false

[secretstore]
enabled_secretstore_plugins = store_crypto

[crypto]
enabled_crypto_plugins = simple_crypto

[simple_crypto_plugin]
kek = ${key}

# Orders would go over a message queue; secrets do not.
[queue]
enable = false

[keystone_authtoken]
auth_type = password
auth_url = ${this.authUrl}
www_authenticate_uri = ${this.authUrl}
username = ${name}
password = ${password}
project_name = ${project}
user_domain_name = Default
project_domain_name = Default
region_name = ${REGION}
token_cache_time = ${this.options.tokenCacheSeconds ?? -1}

[oslo_policy]
enforce_scope = false
enforce_new_defaults = ${this.options.newPolicies ? 'true' : 'false'}
`;
    const directory = join(this.directory, '.barbican');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, 'barbican.conf'), text, { mode: 0o600 });
  }
}

/** Debian ships the pipeline in a package with daemons, which is not wanted here. */
const PASTE = `
[composite:main]
use = egg:Paste#urlmap
/ = versions
/v1 = secrets

[pipeline:versions]
pipeline = microversion versions-app

[pipeline:secrets]
pipeline = token context microversion secrets-app

[app:versions-app]
paste.app_factory = barbican.api.app:create_version_app

[app:secrets-app]
paste.app_factory = barbican.api.app:create_main_app

[filter:token]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory

[filter:context]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory

[filter:microversion]
paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory
`;

const APPLICATION = `
import os

from paste.deploy import loadapp

application = loadapp('config:' + os.environ['PASTE_FILE'])
`;
