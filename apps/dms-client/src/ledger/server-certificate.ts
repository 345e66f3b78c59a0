import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import { type DatabaseServer } from '../settings/database-url';

/** A request waits for it. */
const LOOK_MS = 1_000;
/** The header of a packet, its length first, and the body that asks for TLS: capabilities, packet size, character set. */
const SSL_REQUEST = Buffer.alloc(36);
SSL_REQUEST.writeUInt32LE(32 + 0x01_00_00_00, 0);
// CLIENT_PROTOCOL_41, CLIENT_SSL and CLIENT_SECURE_CONNECTION.
SSL_REQUEST.writeUInt32LE(0x00_00_8a_00, 4);
SSL_REQUEST.writeUInt32LE(0x01_00_00_00, 8);
SSL_REQUEST.writeUInt8(45, 12);

/** What is wrong with the TLS of a server, in words that follow "cannot be reached: ". */
const problems = new WeakMap<object, string>();

/** Returns what {@link explainTls} has found out about the error; null: nothing. */
export function tlsProblemOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null ? (problems.get(error) ?? null) : null;
}

/** Finds out what is wrong where a connection failed for TLS: the driver gives neither the cause nor a date. */
export async function explainTls(error: unknown, server: DatabaseServer): Promise<void> {
  const { code, message = '' } = error as { code?: unknown; message?: string };
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT')
    problems.set(error as object, `${server.host} offers no TLS, which DMS_DB_CA_FILE requires`);
  if (code !== 'HANDSHAKE_SSL_ERROR') return;
  const certificate = await certificateOf(server).catch(() => null);
  problems.set(error as object, tlsProblem(message, server.host, certificate));
}

/**
 * @param message OpenSSL's words
 * @param certificate null: it could not be had
 */
export function tlsProblem(
  message: string,
  host: string,
  certificate: Pick<PeerCertificate, 'valid_from' | 'valid_to'> | null,
): string {
  const on = (date: string | undefined): string =>
    date === undefined ? 'a date that could not be read' : new Date(date).toISOString();
  if (message.includes('has expired'))
    return `the certificate of ${host} expired on ${on(certificate?.valid_to)}`;
  if (message.includes('not yet valid'))
    return `the certificate of ${host} is not valid before ${on(certificate?.valid_from)}`;
  if (/self.signed|unable to (verify|get)/i.test(message))
    return `the certificate of ${host} is of no authority in DMS_DB_CA_FILE: ${message}`;
  if (message.includes('does not match')) return `the certificate of ${host} is for another name: ${message}`;
  return `TLS with ${host} failed: ${message}`;
}

/** Asks the server for its certificate and believes nothing: neither account nor password is sent. */
async function certificateOf({ host, port }: DatabaseServer): Promise<PeerCertificate> {
  const signal = AbortSignal.timeout(LOOK_MS);
  const socket: Socket = connectTcp({ host, port });
  // The events that are waited for tell it, also after the last of them.
  socket.on('error', () => undefined);
  try {
    await once(socket, 'data', { signal });
    socket.write(SSL_REQUEST);
    const servername = isIP(host) === 0 ? host : undefined;
    const tls = connectTls({ socket, servername, rejectUnauthorized: false });
    tls.on('error', () => undefined);
    await once(tls, 'secureConnect', { signal });
    return tls.getPeerCertificate();
  } finally {
    socket.destroy();
  }
}
