import { type Secret } from '@app/contracts';
import { type Identity } from './identity';

export const KEYSTONE_TOKENS = Symbol('KeystoneTokens');

/** Asks Keystone about tokens. */
export interface KeystoneTokens {
  /**
   * Whose token it is; null where Keystone does not know it (any more): garbage, expired, revoked.
   *
   * @throws DmsError AUTH_UNAVAILABLE where Keystone does not say
   */
  identify(token: Secret): Promise<Identity | null>;
}
