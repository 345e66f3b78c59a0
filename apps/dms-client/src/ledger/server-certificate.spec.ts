import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { connectionError, failureText, ledgerError } from './ledger-errors';
import { explainTls, tlsProblem } from './server-certificate';

const DATES = { valid_from: 'Jan  1 00:00:00 2030 GMT', valid_to: 'Jan  2 00:00:00 2020 GMT' };

describe('the certificate of the database', () => {
  it.each([
    ['certificate has expired', 'the certificate of db1 expired on 2020-01-02T00:00:00.000Z'],
    ['certificate is not yet valid', 'the certificate of db1 is not valid before 2030-01-01T00:00:00.000Z'],
    [
      'self-signed certificate in certificate chain',
      'the certificate of db1 is of no authority in DMS_DB_CA_FILE: self-signed certificate in certificate chain',
    ],
    [
      'unable to verify the first certificate',
      'the certificate of db1 is of no authority in DMS_DB_CA_FILE: unable to verify the first certificate',
    ],
    [
      "Hostname/IP does not match certificate's altnames: Host: db1. is not in the cert's altnames: DNS:db2",
      "the certificate of db1 is for another name: Hostname/IP does not match certificate's altnames: Host: db1. is not in the cert's altnames: DNS:db2",
    ],
    ['wrong version number', 'TLS with db1 failed: wrong version number'],
  ])('is named as the cause of "%s"', (message, words) => {
    expect(tlsProblem(message, 'db1', DATES)).toBe(words);
  });

  it('is named without its date if that cannot be read', () => {
    expect(tlsProblem('certificate has expired', 'db1', null)).toContain('a date that could not be read');
  });

  it('is looked at where the handshake failed, and told in every text', async () => {
    const server = await TlsDatabase.start();
    const error = Object.assign(new Error('certificate has expired'), { code: 'HANDSHAKE_SSL_ERROR' });
    try {
      await explainTls(error, { host: '127.0.0.1', port: server.port });
    } finally {
      server.stop();
    }
    const words = `cannot be reached: the certificate of 127.0.0.1 expired on ${server.validTo} (HANDSHAKE_SSL_ERROR)`;
    expect(failureText(error)).toBe(words);
    expect(ledgerError(error)).toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      message: `The database ${words}`,
    });
    expect(connectionError(error, 'db1:3306').message).toContain(words);
    // Nothing but the request for TLS came in clear, and nothing after the handshake.
    expect(server.received).toEqual([36, 0]);
  });
});

/** Greets as MariaDB does, and speaks TLS when it is asked for it. */
class TlsDatabase {
  received: number[] = [];
  private constructor(
    private readonly server: Server,
    readonly validTo: string,
  ) {}

  static async start(): Promise<TlsDatabase> {
    const directory = mkdtempSync(join(tmpdir(), 'dms-certificate-'));
    const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
    const subject = ['-subj', '/CN=db1', '-days', '1', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject], {
      stdio: 'ignore',
    });
    const ends = execFileSync('openssl', ['x509', '-in', cert, '-noout', '-enddate']).toString();
    const pem = { key: readFileSync(key), cert: readFileSync(cert) };
    rmSync(directory, { recursive: true });
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(Buffer.from('a greeting'));
      socket.once('data', (asked) => {
        // The beginning of the handshake may come with the request.
        socket.pause();
        socket.unshift(asked.subarray(36));
        database.received = [asked.readUInt32LE(0) - 0x01_00_00_00 + 4, 0];
        const tls = new TLSSocket(socket, { isServer: true, ...pem });
        tls.on('error', () => undefined);
        tls.on('data', (data: Buffer) => (database.received[1] += data.length));
      });
    });
    const database = new TlsDatabase(server, new Date(ends.trim().split('=')[1]).toISOString());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return database;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  stop(): void {
    this.server.close();
  }
}
