import { join } from 'node:path';
import { Secret } from '@app/contracts';
import { createDataSource } from '../../apps/dms-client/src/ledger/data-source';
import { failureText } from '../../apps/dms-client/src/ledger/ledger-errors';
import { explainTls } from '../../apps/dms-client/src/ledger/server-certificate';
import { Authority, type Certificate } from '../fleet/certificates';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { NodeProcess } from '../fleet/node-process';
import { makeDirectory, removeDirectory, Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const NAME = 'localhost';

/** A broker that shows its certificate to who asks for its name, and takes only who has one of the same authority. */
describeOnRig('amqps', (shared) => {
  const directory = join(shared.directory, 'amqps');
  let authority: Authority;
  let own: Certificate;
  let rig: Rig;
  let fleet: Fleet;
  let brokerUrl: string;

  beforeAll(async () => {
    await makeDirectory(directory);
    authority = await Authority.create(join(directory, 'authority'));
    const broker = await authority.issue('broker', [`DNS:${NAME}`]);
    const nameless = await authority.issue('nameless', ['DNS:some.other.name']);
    const database = await authority.issue('database', ['DNS:db.example']);
    own = await authority.issue('own', ['DNS:dms']);
    rig = await Rig.start({
      parts: ['broker', 'database'],
      broker: {
        tls: {
          authorityFile: authority.file,
          ...broker,
          requireClientCertificate: true,
          sni: {
            name: NAME,
            otherCertificateFile: nameless.certificateFile,
            otherKeyFile: nameless.keyFile,
          },
        },
      },
      database: {
        extraArguments: [
          `--ssl-ca=${authority.file}`,
          `--ssl-cert=${database.certificateFile}`,
          `--ssl-key=${database.keyFile}`,
        ],
      },
    });
    const url = new URL(rig.broker.tlsUrl);
    url.hostname = NAME;
    brokerUrl = url.href;
    const settings = trusting(authority, own);
    fleet = await Fleet.start(
      { ...shared, brokerUrl, databaseUrl: rig.database.url },
      { nodeSettings: settings, clientSettings: { ...settings, DMS_DB_CA_FILE: authority.file } },
    );
    await fleet.acquainted();
  }, 120_000);

  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
    await removeDirectory(directory);
  });

  it('carries the main job', async () => {
    const target = await fleet.targets.s3('tls');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    expect((await fleet.api.post('/api/v1/mount', request)).body.status).toBe('success');
    expect(mountsBelow(join(fleet.node.base, target.id))).toHaveLength(1);
    expect((await fleet.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
    const connections = await rig.broker.ctl(['list_connections', 'ssl', 'peer_cert_subject']);
    const lines = connections.split('\n').filter((line) => /^(true|false)/.test(line));
    expect(new Set(lines)).toEqual(new Set(['true\tCN=own']));
  }, 60_000);

  it.each<[string, () => Promise<{ url?: string; settings: Record<string, string> }>, RegExp]>([
    [
      'a broker of another authority',
      async () => ({ settings: trusting(await Authority.create(join(directory, 'stranger')), own) }),
      /unable to verify|self[- ]signed|unable to get/i,
    ],
    [
      'a broker of another name',
      () => {
        const url = new URL(brokerUrl);
        url.hostname = '127.0.0.1';
        return Promise.resolve({ url: url.href, settings: trusting(authority, own) });
      },
      /does not match certificate|altnames/i,
    ],
  ])('goes to no %s', async (_, options, words) => {
    const { url = brokerUrl, settings } = await options();
    await refused(url, settings, words);
  });

  it('is refused by the broker to who has no certificate, or one of another authority', async () => {
    await refused(
      brokerUrl,
      { DMS_CA_FILE: authority.file },
      /certificate.required|handshake|alert|hang up|ECONNRESET|closed/i,
    );
    const stranger = await Authority.create(join(directory, 'stranger-2'));
    const forged = await stranger.issue('own', ['DNS:dms']);
    await refused(brokerUrl, trusting(authority, forged), /unknown.ca|alert|ECONNRESET|closed/i);
  }, 60_000);

  /** The cipher of a session with the ledger; empty: in clear. */
  async function cipher(databaseCaFile: string | null, host = '127.0.0.1'): Promise<unknown> {
    const url = new URL(fleet.databaseUrl);
    url.hostname = host;
    const source = createDataSource({ databaseUrl: new Secret(url.href), databasePool: 1, databaseCaFile });
    await source.initialize();
    try {
      const [row] = await source.query<{ Value: string }[]>("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
      return row.Value;
    } finally {
      await source.destroy();
    }
  }

  /** What log and readiness say of the server. */
  const refusal = (caFile: string, host?: string): Promise<string> =>
    cipher(caFile, host).then(() => 'serves', failureText);

  it('has the dates of its certificate read, for an error that says that it has expired', async () => {
    const { hostname: host, port } = new URL(rig.database.url);
    const error = Object.assign(new Error('certificate has expired'), { code: 'HANDSHAKE_SSL_ERROR' });
    await explainTls(error, { host, port: Number(port) });
    expect(failureText(error)).toMatch(/the certificate of \S+ expired on \d{4}-\d\d-\d\dT/);
  });

  it('is the choice of the broker; the database has its own authority', async () => {
    expect(await cipher(null)).toBe('');
    expect(await cipher(authority.file)).toMatch(/^TLS_/);
    // Its certificate is for another name than this, which an address cannot be compared with.
    expect(await refusal(authority.file, NAME)).toMatch(
      /the certificate of \S+ is for another name: .*altnames/,
    );
    const stranger = await Authority.create(join(directory, 'stranger-3'));
    expect(await refusal(stranger.file)).toMatch(/is of no authority in DMS_DB_CA_FILE: .*certificate/);
    await expect(cipher('/nowhere/ca.pem')).rejects.toThrow('DMS_DB_CA_FILE: /nowhere/ca.pem cannot be read');
  }, 60_000);

  /** A node with these settings says why it does not reach its broker, and is never ready. */
  async function refused(url: string, settings: Record<string, string>, words: RegExp): Promise<void> {
    const node = new NodeProcess({
      host: 'refused',
      directory: join(directory, 'node'),
      brokerUrl: url,
      settings,
    });
    await makeDirectory(join(directory, 'node'));
    await node.launch();
    try {
      const said = await waitFor(
        async () => /The broker cannot be reached: [^"]*/.exec(await node.log().catch(() => ''))?.[0],
        { timeoutMs: 30_000, what: 'the node to say that it reaches no broker' },
      );
      expect(said).toMatch(words);
      expect(await node.ready()).toBe(false);
    } finally {
      await node.stop();
      await removeDirectory(join(directory, 'node'));
    }
  }
});

function trusting(authority: Authority, { certificateFile, keyFile }: Certificate): Record<string, string> {
  return {
    DMS_CA_FILE: authority.file,
    DMS_RABBITMQ_CERT_FILE: certificateFile,
    DMS_RABBITMQ_KEY_FILE: keyFile,
  };
}
