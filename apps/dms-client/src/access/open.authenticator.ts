import { DmsError } from '@app/contracts';
import { type Authenticator, type Credentials } from './authenticator.interface';
import { ANYONE, type Identity } from './identity';
import { isLoopback } from './loopback';

/**
 * `none`: whoever reaches the loopback address may do everything. A web page in a browser of this machine reaches it,
 * too; its requests are told by the names that they carry (of the page, or one that was made to point here).
 */
export class OpenAuthenticator implements Authenticator {
  readonly challenge = null;

  authenticate({ headers }: Credentials): Promise<Identity> {
    const { host, origin } = headers;
    if (names(`http://${host ?? ''}`) && (origin === undefined || names(origin)))
      return Promise.resolve(ANYONE);
    const message =
      'With DMS_AUTH_MODE=none, requests are taken for loopback addresses only, and from no other web page';
    return Promise.reject(new DmsError('FORBIDDEN', message));
  }
}

/** True for a URL of this machine's loopback. */
function names(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname);
}
