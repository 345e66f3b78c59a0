import { type Secret } from '@app/contracts';
import { type Deadline } from '../target-provider.interface';

/** Keeps secrets, and gives their payload to whoever has a token for it. */
export interface KeyManager {
  /**
   * @param secretRef the secret's URL; only its id is taken from it
   * @returns the payload, as text
   * @throws DmsError VALIDATION_FAILED if the secret belongs to another key manager: no token is sent there
   * @throws DmsError AUTH_EXPIRED if the token is not valid, FORBIDDEN if its owner may not read the secret,
   *   SECRET_UNAVAILABLE for all else
   */
  readSecret(secretRef: string, token: Secret, deadline: Deadline): Promise<Secret>;
}

export const KEY_MANAGER = Symbol('KeyManager');
