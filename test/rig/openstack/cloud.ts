import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { allDone } from '../support/wait';
import { discardFromCache, packageVersions, provideFromCache } from '../support/golden';
import { PROJECTS, USERS, type UserName } from './accounts';
import { Barbican, type BarbicanOptions } from './barbican';
import { type CloudAddress, CloudClient, type SecretOptions } from './cloud-client';
import { Keystone, type KeystoneOptions } from './keystone';
import { seed } from './seed';

/** Raised when something that is made changes without `USERS` or `PROJECTS` changing. */
const RECIPE_VERSION = 1;

/** Settings of a private Keystone and Barbican. */
export interface CloudOptions {
  readonly directory: string;
  readonly keystone?: Omit<KeystoneOptions, 'directory'>;
  readonly barbican?: Omit<BarbicanOptions, 'directory'>;
}

/**
 * A private Keystone and Barbican that know each other, with the users of accounts.ts.
 */
export class Cloud {
  readonly keystone: Keystone;
  readonly barbican: Barbican;

  constructor(private readonly options: CloudOptions) {
    this.keystone = new Keystone({ ...options.keystone, directory: join(options.directory, 'keystone') });
    this.barbican = new Barbican({ ...options.barbican, directory: join(options.directory, 'barbican') });
  }

  /** Plain data, to be handed to another process. */
  get address(): CloudAddress {
    return { authUrl: this.keystone.authUrl, keyManagerUrl: this.barbican.url };
  }

  get client(): CloudClient {
    return new CloudClient(this.address);
  }

  async start(): Promise<void> {
    const recipe = await recipeOf();
    await this.provideData(recipe);
    try {
      await this.startBoth();
    } catch (error) {
      // A copy can be whole by size and still be of no use. Once more, with data made just now.
      await this.stop();
      await discardFromCache({ name: 'openstack', recipe });
      await rm(this.keystone.data, { recursive: true, force: true });
      await rm(this.barbican.data, { recursive: true, force: true });
      await this.provideData(recipe);
      try {
        await this.startBoth();
      } catch {
        throw error;
      }
    }
  }

  async stop(): Promise<void> {
    await allDone([this.keystone.stop(), this.barbican.stop()]);
  }

  async token(user: UserName, project?: string): Promise<string> {
    return await this.client.token(user, project);
  }

  async revoke(token: string): Promise<void> {
    await this.client.revoke(token);
  }

  async storeSecret(
    token: string,
    payload: string | Readonly<Record<string, unknown>>,
    options?: SecretOptions,
  ): Promise<string> {
    return await this.client.storeSecret(token, payload, options);
  }

  /** Each has the other's address in what it is configured with, so both ports are chosen before either starts. */
  private async startBoth(): Promise<void> {
    const { keystone, barbican } = this;
    await allDone([keystone.reservePorts(), barbican.reservePorts()]);
    keystone.keyManagerUrl = barbican.url;
    barbican.authUrl = keystone.authUrl;
    await allDone([keystone.start(), barbican.start()]);
    // One may have lost its port to a stranger and have started on another.
    if (keystone.keyManagerUrl !== barbican.url) {
      keystone.keyManagerUrl = barbican.url;
      await keystone.restart();
    }
    if (barbican.authUrl !== keystone.authUrl) {
      barbican.authUrl = keystone.authUrl;
      await barbican.restart();
    }
  }

  private async provideData(recipe: unknown): Promise<void> {
    const both = join(this.options.directory, 'initial');
    await provideFromCache({ name: 'openstack', recipe, target: both, make: makeInitialData });
    for (const service of [this.keystone, this.barbican]) {
      await mkdir(service.directory, { recursive: true, mode: 0o700 });
    }
    await rename(join(both, 'keystone'), this.keystone.data);
    await rename(join(both, 'barbican'), this.barbican.data);
    await rm(both, { recursive: true, force: true });
  }
}

async function recipeOf(): Promise<unknown> {
  return {
    version: RECIPE_VERSION,
    packages: await packageVersions(['python3-keystone', 'python3-barbican']),
    users: USERS,
    projects: PROJECTS,
  };
}

/** Takes some ten seconds: nearly all of it Keystone's database migrations. */
async function makeInitialData(directory: string): Promise<void> {
  const keystone = new Keystone({ directory: join(directory, 'making-keystone') });
  const barbican = new Barbican({ directory: join(directory, 'making-barbican') });
  await allDone([keystone.initialize(), barbican.initialize()]);
  await keystone.start();
  try {
    await seed(keystone.authUrl);
  } finally {
    await keystone.stop();
  }
  await keystone.settleDatabase();
  await rename(keystone.data, join(directory, 'keystone'));
  await rename(barbican.data, join(directory, 'barbican'));
  await rm(keystone.directory, { recursive: true, force: true });
  await rm(barbican.directory, { recursive: true, force: true });
}
