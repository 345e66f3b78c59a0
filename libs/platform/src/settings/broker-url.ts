import { Secret } from '@app/contracts';

/**
 * `DMS_RABBITMQ_URL`: one or several brokers of one cluster, comma separated. The URLs carry passwords.
 *
 * @throws Error that does not repeat the text
 */
export function asBrokerUrls(text: string): Secret[] {
  const urls = text.split(',').map((part) => part.trim());
  for (const url of urls) {
    if (!URL.canParse(url) || !/^amqps?:$/.test(new URL(url).protocol)) {
      throw new Error('must be amqp:// or amqps:// URLs, comma separated');
    }
  }
  return urls.map((url) => new Secret(url));
}

/** A broker's address without its credentials, for logs and error texts. */
export function printableUrl(url: Secret): string {
  const { protocol, host, pathname } = new URL(url.reveal());
  return `${protocol}//${host}${pathname}`;
}
