import { type IncomingMessage } from 'node:http';
import { type Identity } from './identity';

export const AUTHENTICATOR = Symbol('Authenticator');

/** What is looked at of a request. */
export interface Credentials extends Pick<IncomingMessage, 'headers'> {
  /** The address of who asks; behind a proxy of `DMS_TRUSTED_PROXIES` what that says of it. */
  readonly ip?: string;
}

/** Finds out who makes a request; one for each `DMS_AUTH_MODE`. */
export interface Authenticator {
  /** What a caller without valid credentials is told to bring: the header WWW-Authenticate. Null: nothing helps. */
  readonly challenge: string | null;
  /**
   * @throws DmsError UNAUTHENTICATED for no credentials or bad ones; FORBIDDEN; RATE_LIMITED for too many guesses;
   *   AUTH_UNAVAILABLE where they cannot be checked at the moment: nobody is let in without a check
   */
  authenticate(request: Credentials): Promise<Identity>;
  /**
   * Left out where every request may come as far as {@link authenticate}. Asked on every path, also where no
   * credentials are needed.
   *
   * @throws DmsError FORBIDDEN
   */
  refuseStrangers?(request: Pick<Credentials, 'headers'>): void;
}
