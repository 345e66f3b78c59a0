import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Child } from '../support/child';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { Service } from '../support/service';
import { ganeshaConfiguration, type NfsExport, type NfsExportRights } from './ganesha-configuration';

/** Where Debian's and Ubuntu's packages put the module that exports a directory of this machine. */
const PLUGIN_DIRECTORIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((machine) => `/usr/lib/${machine}/ganesha`)
  .concat('/usr/lib64/ganesha', '/usr/lib/ganesha');

/**
 * A private NFS server (nfs-ganesha) on a port of 127.0.0.1. NFS 4.1 and 4.2 alone: older versions would need the
 * machine's rpcbind.
 *
 * `pause` makes it a server that hangs: connections stand and are accepted, and nothing answers. `kill` makes it one
 * that is gone; `start` brings it back on the same port with the same exports.
 */
export class Ganesha extends Service {
  readonly #exports = new Map<string, NfsExport>();
  #nextId = randomInt(1, 20_000);
  #port = 0;

  constructor(options: { readonly directory: string; readonly title?: string }) {
    super(options.title ?? 'nfs-ganesha', options.directory);
  }

  get port(): number {
    return this.#port;
  }

  /** The exported directory itself: what is seen here is what the server has. */
  exportDirectory(name: string): string {
    return join(this.directory, 'exports', name);
  }

  /** Adds an export `/name` of a new directory; a server that runs knows it after its next start. */
  async addExport(name: string, rights: NfsExportRights = {}): Promise<NfsExport> {
    const made = { ...rights, id: this.#newId(), path: `/${name}`, directory: this.exportDirectory(name) };
    await mkdir(made.directory, { recursive: true });
    this.#exports.set(name, made);
    return made;
  }

  /** Takes an export and its files away; a server that runs serves it until its next start. */
  async removeExport(name: string): Promise<void> {
    this.#exports.delete(name);
    await rm(this.exportDirectory(name), { recursive: true, force: true });
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.#port = await freePort();
    return [this.#port];
  }

  protected override async prepare(): Promise<void> {
    const recoveryDirectory = join(this.directory, 'recovery');
    await mkdir(recoveryDirectory, { recursive: true });
    const text = ganeshaConfiguration({
      port: this.#port,
      name: `${basename(this.directory)}-${this.#port}`,
      recoveryDirectory,
      pluginsDirectory: PLUGIN_DIRECTORIES.find((path) => existsSync(path)) ?? PLUGIN_DIRECTORIES[0],
      exports: [...this.#exports.values()],
    });
    await writeFile(this.#configurationFile, text, { mode: 0o600 });
  }

  protected override async launch(): Promise<Child> {
    return await Child.start({
      name: this.title,
      command: '/usr/bin/ganesha.nfsd',
      args: ['-F', '-f', this.#configurationFile, '-L', 'STDOUT', '-p', join(this.directory, 'ganesha.pid')],
      directory: this.directory,
      logFile: this.logFile,
      environment: cleanEnvironment({ HOME: this.directory }),
    });
  }

  /** The log is this program's own, so its word is worth more than an answer from the port. */
  protected override async isReady(child: Child): Promise<boolean> {
    return (await child.log()).includes('NFS SERVER INITIALIZED');
  }

  get #configurationFile(): string {
    return join(this.directory, 'ganesha.conf');
  }

  #newId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }
}
