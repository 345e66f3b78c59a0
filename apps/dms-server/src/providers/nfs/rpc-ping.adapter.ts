import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import { type Deadline } from '../target-provider.interface';
import { type NfsPing, type PingAnswer } from './nfs-ping.interface';

const NFS_PROGRAM = 100_003;
const NFS_VERSION = 4;
const RPC_VERSION = 2;
const NULL_PROCEDURE = 0;
const LAST_FRAGMENT = 0x8000_0000;
const WORD = 4;

/**
 * Calls the procedure of NFS that does nothing (RFC 5531, RFC 7530 section 16.1), over TCP. Any reply to it is an answer,
 * also that the server has no NFS 4.
 */
@Injectable()
export class RpcPing implements NfsPing {
  ping(address: string, port: number, deadline: Deadline): Promise<PingAnswer> {
    return new Promise((resolve) => {
      const id = randomInt(2 ** 32);
      const socket = connect({ host: withoutBrackets(address), port });
      const end = (answer: PingAnswer): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(answer);
      };
      const timer = setTimeout(() => {
        const what = socket.connecting ? 'cannot be reached' : 'accepts connections and does not answer';
        end({ kind: 'silent', reason: `${what} within ${deadline.setBy}` });
      }, deadline.remainingMs());
      socket.once('connect', () => socket.write(nullCall(id)));
      socket.once('error', (error: NodeJS.ErrnoException) =>
        end({ kind: 'silent', reason: `cannot be reached (${error.code ?? error.message})` }),
      );
      socket.once('close', () => end({ kind: 'silent', reason: 'closes the connection' }));
      onReply(socket, id, () => end({ kind: 'answers' }));
    });
  }
}

/** A whole record: its length, then a call without credentials and without arguments. */
function nullCall(id: number): Buffer {
  const call = [id, 0, RPC_VERSION, NFS_PROGRAM, NFS_VERSION, NULL_PROCEDURE, 0, 0, 0, 0];
  return words([LAST_FRAGMENT + call.length * WORD, ...call]);
}

/** After the length of the record come the id of the call that is answered, and a one for a reply. */
function onReply(socket: Socket, id: number, answered: () => void): void {
  const beginning = 3 * WORD;
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]).subarray(0, beginning);
    if (
      received.length === beginning &&
      received.readUInt32BE(WORD) === id &&
      received.readUInt32BE(2 * WORD) === 1
    ) {
      answered();
    }
  });
}

function words(values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * WORD);
  values.forEach((value, index) => buffer.writeUInt32BE(value, index * WORD));
  return buffer;
}

/** IPv6 addresses stand in brackets in the name of an export. */
function withoutBrackets(address: string): string {
  return address.replace(/^\[(.*)\]$/, '$1');
}
