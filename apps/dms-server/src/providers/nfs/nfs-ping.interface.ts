import { type Deadline } from '../target-provider.interface';

/** `reason` is the end of a sentence that begins with the server's name. */
export type PingAnswer = { readonly kind: 'answers' } | { readonly kind: 'silent'; readonly reason: string };

/**
 * Asks whether an NFS server answers, without the kernel's NFS client. A mount of one that does not would hang in the
 * kernel, and as long as it does no server that is new to this machine can be mounted.
 */
export interface NfsPing {
  /** @param port of NFS on that server */
  ping(address: string, port: number, deadline: Deadline): Promise<PingAnswer>;
}

export const NFS_PING = Symbol('NfsPing');
