import { type PublicKey } from '@app/contracts';

/** Public keys of the clients whose commands are obeyed. */
export interface ClientKeys {
  /** Those that count now; empty where none were configured. */
  current(): Promise<readonly PublicKey<'Ed25519'>[]>;
}

export const CLIENT_KEYS = Symbol('ClientKeys');
