import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { makeDirectory, runCommand } from '../rig';

/** A certificate and its key, as PEM files. */
export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

const TIMEOUT_MS = 30_000;

/** A certificate authority that lives as long as a test. */
export class Authority {
  private constructor(
    private readonly directory: string,
    private readonly own: Certificate,
  ) {}

  static async create(directory: string): Promise<Authority> {
    await makeDirectory(directory);
    const own = { certificateFile: join(directory, 'ca.pem'), keyFile: join(directory, 'ca.key') };
    await openssl(directory, [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-noenc',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=Test authority', '-keyout', own.keyFile, '-out', own.certificateFile],
    ]);
    return new Authority(directory, own);
  }

  get file(): string {
    return this.own.certificateFile;
  }

  /**
   * @param names subject alternative names, such as `DNS:localhost`
   * @param days for how long it is valid; -1: it has ended already
   */
  async issue(name: string, names: readonly string[], days = 2): Promise<Certificate> {
    const path = (end: string): string => join(this.directory, `${name}.${end}`);
    const issued = { certificateFile: path('pem'), keyFile: path('key') };
    await writeFile(path('ext'), `subjectAltName = ${names.join(', ')}\n`);
    await openssl(this.directory, [
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'],
      ...['-subj', `/CN=${name}`, '-keyout', issued.keyFile, '-out', path('csr')],
    ]);
    await openssl(this.directory, [
      ...['x509', '-req', '-in', path('csr'), '-CA', this.own.certificateFile, '-CAkey', this.own.keyFile],
      ...['-CAcreateserial', '-days', String(days), '-extfile', path('ext'), '-out', issued.certificateFile],
    ]);
    return issued;
  }
}

async function openssl(directory: string, args: readonly string[]): Promise<void> {
  await runCommand('openssl', args, { directory, timeoutMs: TIMEOUT_MS });
}
