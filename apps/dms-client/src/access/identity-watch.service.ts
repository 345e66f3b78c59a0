import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { AUTHENTICATOR, type Authenticator, type Credentials } from './authenticator.interface';
import { type Identity, isOver } from './identity';
import { isPrivileged } from './policy';

/** Credentials are looked at again so often; how long Keystone's word counts is the authenticator's. */
const LOOK_MS = 5_000;

/** Watches the credentials of requests that last. */
@Injectable()
export class IdentityWatch {
  constructor(@Inject(AUTHENTICATOR) private readonly authenticator: Authenticator) {}

  /**
   * Calls `onEnd`, once, when the credentials of a request are over, were revoked, or are another identity's rights
   * now. While they cannot be checked they count until their own end.
   *
   * @returns what ends the watch
   */
  watch(request: Credentials, identity: Identity, onEnd: () => void): () => void {
    let timer: NodeJS.Timeout;
    let ended = false;
    const end = (): void => {
      ended = true;
      clearTimeout(timer);
    };
    const look = async (): Promise<void> => {
      if (!(await this.#isGood(request, identity))) {
        if (!ended) onEnd();
        end();
      }
      if (!ended) arm();
    };
    const arm = (): void => {
      const leftMs = identity.expiresAt === null ? LOOK_MS : identity.expiresAt - Date.now();
      timer = setTimeout(() => void look(), Math.max(0, Math.min(LOOK_MS, leftMs)));
    };
    arm();
    return end;
  }

  /** Never rejects. */
  async #isGood(request: Credentials, identity: Identity): Promise<boolean> {
    if (isOver(identity)) return false;
    try {
      const now = await this.authenticator.authenticate(request);
      return now.projectId === identity.projectId && isPrivileged(now) === isPrivileged(identity);
    } catch (error) {
      const isRefused = error instanceof DmsError && ['UNAUTHENTICATED', 'FORBIDDEN'].includes(error.code);
      return !isRefused;
    }
  }
}
