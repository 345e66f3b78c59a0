import { type PublicKey } from '@app/contracts';

/** Public keys of the clients whose commands are obeyed; empty where none were configured. */
export type ClientKeys = readonly PublicKey<'Ed25519'>[];

export const CLIENT_KEYS = Symbol('ClientKeys');
