import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Child } from '../support/child';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { Service } from '../support/service';
import { type ObjectStoreAddress, ObjectStoreClient, type StoredObject } from './object-store-client';
import { type S3Account, swiftConfiguration } from './swift-configuration';
import { SWIFT_CACHE, SWIFT_SERVERS } from './swift-program';

/**
 * A private S3 endpoint: OpenStack Swift with its S3 layer, which computes the signature of each request anew. A wrong
 * secret is answered with 403, as by any real store.
 *
 * Buckets are addressed by path (`http://127.0.0.1:<port>/<bucket>`).
 */
export class Swift extends Service {
  readonly region = 'us-east-1';
  /** Owns the buckets that the methods here make. */
  readonly account = newAccount('backup');
  /** A second one, to whom those buckets are closed. */
  readonly otherAccount = newAccount('stranger');
  private port = 0;

  constructor(options: { readonly directory: string }) {
    super('Swift (S3)', options.directory);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get accessKey(): string {
    return this.account.accessKey;
  }

  get secretKey(): string {
    return this.account.secretKey;
  }

  /** All that a client needs; plain data, to be handed to another process. */
  get address(): ObjectStoreAddress {
    return { endpoint: this.endpoint, region: this.region, ...this.account };
  }

  /** A client with the first account's keys, or with others. */
  client(account: S3Account = this.account): ObjectStoreClient {
    return new ObjectStoreClient({ ...this.address, ...account });
  }

  async createBucket(bucket: string): Promise<void> {
    await this.client().createBucket(bucket);
  }

  async putObject(bucket: string, key: string, content: string | Buffer): Promise<void> {
    await this.client().putObject(bucket, key, content);
  }

  async getObject(bucket: string, key: string): Promise<Buffer> {
    return await this.client().getObject(bucket, key);
  }

  async listObjects(bucket: string, prefix?: string): Promise<StoredObject[]> {
    return await this.client().listObjects(bucket, prefix);
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.port = await freePort();
    return [this.port];
  }

  protected override async prepare(): Promise<void> {
    const configuration = join(this.directory, 'configuration');
    const disks = join(this.directory, 'disks');
    await mkdir(configuration, { recursive: true });
    await mkdir(join(disks, 'disk'), { recursive: true });
    const files: Record<string, string> = {
      ...swiftConfiguration({
        directory: configuration,
        disks,
        user: userInfo().username,
        region: this.region,
        accounts: [this.account, this.otherAccount],
      }),
      'swift_servers.py': SWIFT_SERVERS,
      'process_cache.py': SWIFT_CACHE,
    };
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(configuration, name), text, { mode: 0o600 });
    }
  }

  protected override async launch(): Promise<Child> {
    const configuration = join(this.directory, 'configuration');
    return await Child.start({
      name: this.title,
      command: '/usr/bin/python3',
      args: [join(configuration, 'swift_servers.py'), configuration, String(this.port)],
      directory: this.directory,
      logFile: this.logFile,
      environment: cleanEnvironment({ HOME: this.directory, PYTHONDONTWRITEBYTECODE: '1' }),
    });
  }

  /** The log is this program's own, so its word is worth more than an answer from the port. */
  protected override async isReady(child: Child): Promise<boolean> {
    return (await child.log()).includes('swift is ready');
  }
}

/** The colon is Swift's: the part before it names the account, the one after it the user. */
function newAccount(name: string): S3Account {
  return {
    accessKey: `${name}:${randomBytes(6).toString('hex')}`,
    secretKey: randomBytes(20).toString('hex'),
  };
}
