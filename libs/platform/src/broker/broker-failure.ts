import { Secret } from '@app/contracts';
import { printableUrl } from '../settings/broker-url';

/**
 * Why a connection to a broker failed, with the setting and the address to look at; no password.
 *
 * @param failure as the event `connectFailed` of a connection of `connectBroker` has it
 */
export function brokerFailure({ err, url }: { readonly err: Error; readonly url?: unknown }): string {
  const address = typeof url === 'string' && URL.canParse(url) ? `: ${printableUrl(new Secret(url))}` : '';
  return `${err.message} (DMS_RABBITMQ_URL${address})`;
}
