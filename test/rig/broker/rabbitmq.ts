import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { Child } from '../support/child';
import { runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { Service } from '../support/service';
import { within } from '../support/wait';
import { startPortMapper } from './epmd';

/** The scripts in /usr/sbin change to the user `rabbitmq`; these run as whoever calls them. */
const PROGRAMS = '/usr/lib/rabbitmq/bin';
const USER = 'dms';
const CONTROL_TIMEOUT_MS = 60_000;
const LOOPBACK_ONLY = '-kernel inet_dist_use_interface {127,0,0,1}';

/** Certificates (PEM files) for a second, encrypted listener. */
export interface RabbitMqTls {
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly requireClientCertificate?: boolean;
  /** The certificate above is shown only to who asks for this name (SNI); to others, the one given here. */
  readonly sni?: {
    readonly name: string;
    readonly otherCertificateFile: string;
    readonly otherKeyFile: string;
  };
}

/** What the members of a cluster share, and the name of this one. */
export interface RabbitMqMember {
  /** Such as `u2@localhost`. */
  readonly name: string;
  /** The member that starts first, alone, and that the others join. */
  readonly first: string;
  readonly password: string;
  readonly cookie: string;
  /** Port of a port mapper that runs before the member starts, and that others end. */
  readonly mapperPort: number;
}

/** Settings of a private RabbitMQ. */
export interface RabbitMqOptions {
  readonly directory: string;
  readonly tls?: RabbitMqTls;
  /** Lines added to rabbitmq.conf, such as `heartbeat = 5`. */
  readonly extraConfiguration?: readonly string[];
  /** Default: the broker is no member of a cluster. */
  readonly member?: RabbitMqMember;
}

/** A queue as the broker sees it. */
export interface QueueState {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly messages: number;
  readonly messages_unacknowledged: number;
  readonly messages_persistent: number;
  readonly consumers: number;
}

/**
 * A private RabbitMQ broker with one user and the default virtual host.
 */
export class RabbitMq extends Service {
  private readonly password: string;
  private readonly cookie: string;
  private readonly node: string;
  private port = 0;
  private tlsPort = 0;
  private distributionPort = 0;
  private mapperPort = 0;
  private mapper: Child | undefined;

  constructor(private readonly options: RabbitMqOptions) {
    const { member } = options;
    super(member === undefined ? 'RabbitMQ' : `RabbitMQ ${member.name}`, options.directory);
    this.node = member?.name ?? 'rabbit@localhost';
    this.password = member?.password ?? randomBytes(12).toString('hex');
    this.cookie = member?.cookie ?? randomBytes(16).toString('hex');
  }

  /** Address with its user, for any AMQP client. */
  get url(): string {
    return `amqp://${USER}:${this.password}@127.0.0.1:${this.port}`;
  }

  /** Address of the encrypted listener. */
  get tlsUrl(): string {
    if (!this.options.tls) throw new Error('This RabbitMQ was started without certificates');
    return `amqps://${USER}:${this.password}@127.0.0.1:${this.tlsPort}`;
  }

  /** Where its messages lie on disk, for tests of what must not be found there. */
  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  /** How rabbitmqctl is called on this broker. */
  get control(): { readonly command: readonly string[]; readonly environment: Record<string, string> } {
    const command = [join(PROGRAMS, 'rabbitmqctl'), '--quiet', '--node', this.node];
    return { command, environment: this.environment() };
  }

  /** Runs rabbitmqctl on this broker and returns what it prints. Takes a second or two. */
  async ctl(args: readonly string[]): Promise<string> {
    const { command, environment } = this.control;
    const result = await runCommand(command[0], [...command.slice(1), ...args], {
      directory: this.directory,
      environment,
      timeoutMs: CONTROL_TIMEOUT_MS,
    });
    return result.stdout;
  }

  async queues(): Promise<QueueState[]> {
    const columns: (keyof QueueState)[] = [
      'name',
      'type',
      'durable',
      'messages',
      'messages_unacknowledged',
      'messages_persistent',
      'consumers',
    ];
    return JSON.parse(await this.ctl(['list_queues', '--formatter', 'json', ...columns])) as QueueState[];
  }

  /** Cuts all clients' connections, as a broker does that is about to go down. */
  async closeConnections(reason: string): Promise<void> {
    await this.ctl(['close_all_connections', reason]);
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.port = await freePort();
    this.distributionPort = await freePort();
    this.mapperPort = this.options.member?.mapperPort ?? (await freePort());
    const ports = [this.port, this.distributionPort];
    if (this.options.member === undefined) ports.push(this.mapperPort);
    if (!this.options.tls) return ports;
    this.tlsPort = await freePort();
    return [...ports, this.tlsPort];
  }

  protected override async prepare(): Promise<void> {
    for (const name of ['data', 'log', 'plugins'])
      await mkdir(join(this.directory, name), { recursive: true });
    // The cookie is the key to the Erlang node; Erlang insists that nobody else can read it.
    await writeFile(join(this.directory, '.erlang.cookie'), this.cookie, { mode: 0o400, flag: 'w' }).catch(
      (error: NodeJS.ErrnoException) => {
        // Written at an earlier start, by a user who may not write what is read-only.
        if (error.code !== 'EACCES') throw error;
      },
    );
    await writeFile(join(this.directory, 'enabled_plugins'), '[].\n');
    await writeFile(join(this.directory, 'rabbitmq.conf'), this.configuration(), { mode: 0o600 });
    const advanced = advancedConfiguration(this.options.tls);
    if (advanced !== null) await writeFile(join(this.directory, 'advanced.config'), advanced);
  }

  protected override async launch(): Promise<Child> {
    if (this.options.member === undefined)
      this.mapper = await startPortMapper(this.mapperPort, this.directory, join(this.directory, 'epmd.log'));
    return await Child.start({
      name: this.title,
      command: join(PROGRAMS, 'rabbitmq-server'),
      args: [],
      directory: this.directory,
      logFile: this.logFile,
      environment: this.environment(),
    });
  }

  /** The password is this broker's alone, so an opened connection is the proof that it is this broker. */
  protected override async isReady(): Promise<boolean> {
    try {
      const connection = await connect(this.url, { timeout: 5000 });
      await within(connection.close(), 5000, 'RabbitMQ to close a connection');
      return true;
    } catch {
      return false;
    }
  }

  protected override async cleanUp(): Promise<void> {
    await this.mapper?.stop();
  }

  private configuration(): string {
    const { tls } = this.options;
    const lines = [
      `listeners.tcp.1 = 127.0.0.1:${this.port}`,
      `default_user = ${USER}`,
      `default_pass = ${this.password}`,
      // A disk that is nearly full elsewhere must not block publishers in a test.
      'disk_free_limit.absolute = 10MB',
    ];
    if (tls) {
      lines.push(
        `listeners.ssl.1 = 127.0.0.1:${this.tlsPort}`,
        `ssl_options.cacertfile = ${tls.authorityFile}`,
        `ssl_options.certfile = ${tls.sni?.otherCertificateFile ?? tls.certificateFile}`,
        `ssl_options.keyfile = ${tls.sni?.otherKeyFile ?? tls.keyFile}`,
        `ssl_options.verify = ${tls.requireClientCertificate ? 'verify_peer' : 'verify_none'}`,
        `ssl_options.fail_if_no_peer_cert = ${tls.requireClientCertificate ? 'true' : 'false'}`,
      );
    }
    const cluster = clusterConfiguration(this.options.member);
    return [...lines, ...cluster, ...(this.options.extraConfiguration ?? []), ''].join('\n');
  }

  private environment(): Record<string, string> {
    const directory = this.directory;
    return cleanEnvironment({
      HOME: directory,
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(this.mapperPort),
      RABBITMQ_NODENAME: this.node,
      RABBITMQ_NODE_PORT: String(this.port),
      RABBITMQ_DIST_PORT: String(this.distributionPort),
      RABBITMQ_MNESIA_BASE: this.dataDirectory,
      RABBITMQ_LOG_BASE: join(directory, 'log'),
      // To standard output, and so into our log file.
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: join(directory, 'server.pid'),
      RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'advanced.config'),
      RABBITMQ_GENERATED_CONFIG_DIR: join(directory, 'generated'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
      // What /etc/rabbitmq says is for the machine's own broker.
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${LOOPBACK_ONLY} -start_epmd false`,
      RABBITMQ_CTL_ERL_ARGS: `${LOOPBACK_ONLY} -start_epmd false`,
    });
  }
}

/** A new member joins the others by itself at its first start. */
function clusterConfiguration(member: RabbitMqMember | undefined): string[] {
  if (member === undefined) return [];
  return [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...[...new Set([member.first, member.name])].map(
      (name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`,
    ),
    // What RabbitMQ recommends for three members; the default lets both sides of a partition go on.
    'cluster_partition_handling = pause_minority',
  ];
}

/** What rabbitmq.conf has no words for, as Erlang terms; the whole list of options, for it replaces that one's. */
function advancedConfiguration(tls: RabbitMqTls | undefined): string | null {
  if (tls?.sni === undefined) return null;
  const { sni } = tls;
  const files = (certificate: string, key: string): string =>
    `{certfile, "${certificate}"}, {keyfile, "${key}"}`;
  const options = [
    `{cacertfile, "${tls.authorityFile}"}`,
    files(sni.otherCertificateFile, sni.otherKeyFile),
    `{verify, ${tls.requireClientCertificate ? 'verify_peer' : 'verify_none'}}`,
    `{fail_if_no_peer_cert, ${tls.requireClientCertificate ? 'true' : 'false'}}`,
    `{sni_hosts, [{"${sni.name}", [${files(tls.certificateFile, tls.keyFile)}]}]}`,
  ];
  return `[{rabbit, [{ssl_options, [${options.join(', ')}]}]}].\n`;
}
