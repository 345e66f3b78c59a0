import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onStage, type Stage } from '../docs/example-names';
import { cleanEnvironment, type CommandResult, freePort, Rig, type RigAddresses, waitFor } from '../rig';
import { Fleet } from './fleet';
import { s3fsProcesses } from './node-look';
import { writeStandIns } from './documented-programs';
import { serverEnvironment } from './server-environment';
import { ShellSession } from './shell-session';

/** What a documented command may take; the longest wait in one is that for a node. */
const COMMAND_TIMEOUT_MS = 60_000;
const JOB = 1;
const README_NODE = 'the-first-node';

/** What a document says to do before a command, or with what its variables are filled. */
interface Situation {
  readonly command: RegExp;
  readonly variables: (documented: DocumentedFleet) => Promise<Readonly<Record<string, string>>>;
}

const SITUATIONS: readonly Situation[] = [
  { command: /--forget --fenced/, variables: ({ stage }) => Promise.resolve({ HOST: stage.firstNode }) },
  {
    command: /\$HOST\/forget/,
    variables: ({ stage }) => Promise.resolve({ HOST: stage.firstNode }),
  },
  { command: /DELETE .*\/admin\/locks/, variables: (documented) => documented.lockTarget() },
  { command: /\$OPERATION_ID/, variables: (documented) => documented.operation() },
  {
    command: /--accept-key|\/accept-key/,
    variables: async (documented) => ({ KEY_ID: await documented.keyId() }),
  },
  { command: /locks --release/, variables: (documented) => documented.lockTarget() },
  { command: /mountpoint -d/, variables: (documented) => documented.mounted() },
  { command: /--kill "\$PID"/, variables: (documented) => documented.victim() },
];

/** A fleet with a broker of its own, on which the commands of the documents are run. */
export class DocumentedFleet {
  private constructor(
    private readonly rig: Rig,
    readonly stage: Stage,
    private readonly bin: string,
    private readonly token: string,
  ) {}

  static async start(shared: RigAddresses): Promise<DocumentedFleet> {
    const rig = await Rig.start({ parts: ['broker'] });
    const fleet = await Fleet.start({ ...shared, brokerUrl: rig.broker.url });
    await fleet.acquainted();
    const [configuration, locks, bin] = ['configuration', 'locks', 'bin'].map((name) =>
      join(fleet.directory, name),
    );
    const credentials = join(configuration, 'client-credentials');
    for (const directory of [credentials, locks, bin]) await mkdir(directory, { recursive: true });
    await writeFile(join(locks, 'dms_mount_unmount.lock'), '');
    const stage: Stage = {
      fleet,
      node: fleet.node,
      client: fleet.clients[0],
      target: await fleet.targets.s3('documented'),
      authUrl: String(shared.cloud?.authUrl),
      firstNode: README_NODE,
      configuration,
      locks,
    };
    const documented = new DocumentedFleet(rig, stage, bin, await fleet.targets.cloud.token('owner'));
    await writeStandIns(bin, stage, rig.broker);
    return documented;
  }

  /** Commands, in their order, in a shell of the document's own. Job 1 holds the target when it begins. */
  async session(document: string): Promise<ShellSession> {
    const { fleet, node, client, target } = this.stage;
    const directory = join(fleet.directory, 'sessions', document.replaceAll('/', '-'));
    await mkdir(join(directory, 'work'), { recursive: true });
    await writeFile(join(directory, 'work/token'), this.token);
    await writeFile(join(directory, '.my.cnf'), this.#databaseAccount());
    const isFirst = document === 'README.md';
    if (!isFirst) {
      await this.#giveUpFirstNode();
      await fleet.api.post('/api/v1/mount', await fleet.targets.request(node.host, JOB, target));
    }
    const own = isFirst ? join(directory, 'node') : dirname(node.base);
    const server = serverEnvironment({
      host: node.host,
      directory: own,
      base: isFirst ? join(own, 'mounts') : node.base,
      runDirectory: isFirst ? join(own, 'run') : node.runDirectory,
      pidDirectory: isFirst ? join(own, 'run/s3') : node.pidDirectory,
      healthPort: await freePort(),
      brokerUrl: fleet.brokerUrl,
      authUrl: this.stage.authUrl,
    });
    if (isFirst) await mkdir(join(own, 'mounts'), { recursive: true });
    return ShellSession.start(directory, {
      ...cleanEnvironment({ HOME: directory }),
      ...client.environment,
      ...server,
      PATH: `${this.bin}:${server.PATH}`,
      HOME: directory,
      DMS_HTTP_PORT: String(await freePort()),
      CLIENT_PASSWORD: 'of-the-client',
      NODE_PASSWORD: 'of-the-node',
      REQUEST_ID: 'none',
      KEYSTONE_TOKEN: this.token,
      BARBICAN_URL: new URL(target.secretRef).origin,
    });
  }

  /** Runs a documented command, as a person would in the place that the document tells of. */
  async run(session: ShellSession, document: string, text: string): Promise<CommandResult> {
    if (await this.#asSystemd(text)) return { status: 0, stdout: '', stderr: '' };
    const situation = SITUATIONS.find((of) => of.command.test(text));
    const own = (await situation?.variables(this)) ?? {};
    // The README works on database and broker themselves.
    const lasting: Record<string, string> =
      document === 'README.md' ? {} : { DMS_API_URL: this.stage.client.url };
    const result = await session.run(onStage(text, this.stage), COMMAND_TIMEOUT_MS, lasting, own);
    if (/^dms-server .*&(?: |$)/.test(text)) await this.#heard(this.stage.firstNode);
    return result;
  }

  /** Carries out what systemd would; false where the command is not for it. */
  async #asSystemd(command: string): Promise<boolean> {
    const [, verb, unit] = /^systemctl (start|stop|restart) (dms-\w+)$/.exec(command) ?? [];
    const program = { 'dms-client': this.stage.client, 'dms-server': this.stage.node }[unit];
    if (program === undefined) return false;
    if (verb !== 'start') await program.stop();
    if (verb !== 'stop') {
      // Of a program that runs a start is nothing.
      if (verb === 'restart' || !(await program.ready().catch(() => false))) await program.start();
      await this.#heard(this.stage.node.host);
    }
    return true;
  }

  async keyId(): Promise<string> {
    const { fleet, node } = this.stage;
    const { body } = await fleet.api.get<{ key_id: string }>(`/api/v1/nodes/${node.host}`);
    return body.key_id;
  }

  /** The target is locked by somebody elsewhere. */
  async lockTarget(): Promise<Record<string, string>> {
    await this.stage.fleet.query(
      `UPDATE target_mounts SET lease_token = UUID(), lease_owner = 'elsewhere:1',
         lease_expires_at = NOW(6) + INTERVAL 1 HOUR WHERE backup_target_id = ?`,
      [this.stage.target.id],
    );
    return {};
  }

  /** The last thing that was asked for. */
  async operation(): Promise<Record<string, string>> {
    const { body } = await this.stage.fleet.api.get<{ operations: { id: string }[] }>('/api/v1/operations');
    return { OPERATION_ID: body.operations[0].id };
  }

  /** Where job 1 has the target, as the answer to its mount says. */
  async mounted(): Promise<Record<string, string>> {
    const { fleet, node, target } = this.stage;
    const { body } = await fleet.api.post<Record<string, string>>(
      '/api/v1/mount',
      await fleet.targets.request(node.host, JOB, target),
    );
    return { mount_path: body.mount_path, device: body.device };
  }

  /** A FUSE process that serves another target than the one of the documents. */
  async victim(): Promise<Record<string, string>> {
    const { fleet, node } = this.stage;
    const target = await fleet.targets.s3('victim');
    const { body } = await fleet.api.post(
      '/api/v1/mount',
      await fleet.targets.request(node.host, JOB, target),
    );
    if (s3fsProcesses(target.bucket).length !== 1) throw new Error(`No victim: ${JSON.stringify(body)}`);
    return { PID: String(s3fsProcesses(target.bucket)[0]) };
  }

  async stop(): Promise<void> {
    await this.stage.fleet.stop();
    await this.rig.stop();
  }

  /** Resolves when the fleet's dms-client hears the node; at once where none runs. */
  async #heard(host: string): Promise<void> {
    const { client } = this.stage;
    if (!(await client.ready().catch(() => false))) return;
    const heard = async (): Promise<boolean> =>
      (await client.api.get<{ state?: string }>(`/api/v1/nodes/${host}`)).body.state === 'up';
    await waitFor(heard, { timeoutMs: 30_000, what: `${host} to be heard` });
  }

  /** The node of the README has ended with it; one that is silent could not be compared with the ledger. */
  async #giveUpFirstNode(): Promise<void> {
    const path = `/api/v1/nodes/${this.stage.firstNode}/forget`;
    const done = async (): Promise<boolean> => {
      const { status } = await this.stage.client.api.post(path, { fenced: true });
      return status === 200 || status === 404;
    };
    await waitFor(done, { timeoutMs: 30_000, what: 'the node of the README to be silent' });
  }

  #databaseAccount(): string {
    const { hostname, port, username, password } = new URL(this.stage.fleet.databaseUrl);
    return `[client]\nhost=${hostname}\nport=${port}\nuser=${username}\npassword=${password}\nprotocol=tcp\n`;
  }
}
