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

  authenticate(): Promise<Identity> {
    return Promise.resolve(ANYONE);
  }

  refuseStrangers({ headers }: Pick<Credentials, 'headers'>): void {
    const { host, origin } = headers;
    // A browser names no origin where a page loads something, or leads to it: Fetch Metadata tells of those.
    const isOwnPage = origin === undefined ? headers['sec-fetch-site'] !== 'cross-site' : names(origin);
    if (isOwnPage && names(`http://${host ?? ''}`)) return;
    const message =
      'With DMS_AUTH_MODE=none, requests are taken for loopback addresses only, and from no other web page';
    throw new DmsError('FORBIDDEN', message);
  }
}

/** True for a URL of this machine's loopback. */
function names(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname);
}
