import { once } from 'node:events';
import { connectBroker, INSECURE_TLS_WARNING, printableUrl } from '@app/platform';
import { within } from '../../commands/within';
import { deadlineIn } from '../../providers/deadlines';
import { OpenStackReader } from '../../providers/s3/openstack-reader';
import { type ServerSettings } from '../../settings/server.settings';
import { type Finding } from './finding';

const ANSWER_MS = 8_000;

/** Connects and logs in; no queue is touched, so that a running server is not disturbed. */
export async function brokerCheck(settings: ServerSettings): Promise<Finding> {
  const name = 'broker';
  try {
    const manager = connectBroker({
      urls: settings.rabbitmqUrls,
      connectionName: `dms-server check ${settings.nodeId}`,
      caFile: settings.caFile,
      certificateFile: settings.certificateFile,
      keyFile: settings.keyFile,
    });
    try {
      const failed = once(manager, 'connectFailed').then(([failure]: { err: Error }[]) => {
        throw failure.err;
      });
      await within(Promise.race([once(manager, 'connect'), failed]), ANSWER_MS, 'a connection');
      return { name, result: 'ok', detail: 'answers, and takes the login' };
    } finally {
      await manager.close();
    }
  } catch (error) {
    const addresses = settings.rabbitmqUrls.map(printableUrl).join(', ');
    return { name, result: 'failed', detail: `${reasonOf(error)} (DMS_RABBITMQ_URL: ${addresses})` };
  }
}

export function keystoneChecks(settings: ServerSettings): Promise<Finding>[] {
  const { authUrl, barbicanUrl } = settings;
  const none: Finding = {
    name: 'Keystone',
    result: 'warning',
    detail: 'DMS_AUTH_URL is not set: no S3 targets',
  };
  return [
    authUrl === null ? Promise.resolve(none) : answers('Keystone', authUrl, settings),
    ...(barbicanUrl === null ? [] : [answers('Barbican', barbicanUrl, settings)]),
  ];
}

/** One finding, and only where certificates are not checked: there is nothing to say of what is as it should be. */
export function tlsChecks({ insecureTls }: Pick<ServerSettings, 'insecureTls'>): Finding[] {
  return insecureTls ? [{ name: 'TLS', result: 'warning', detail: INSECURE_TLS_WARNING }] : [];
}

async function answers(name: string, url: string, settings: ServerSettings): Promise<Finding> {
  const reader = new OpenStackReader(settings);
  try {
    const { status } = await reader.get(name, url, {}, deadlineIn(ANSWER_MS));
    // Without a token a service may refuse; what matters is that it speaks.
    return status < 500
      ? { name, result: 'ok', detail: 'answers' }
      : { name, result: 'failed', detail: `answers with status ${status}` };
  } catch (error) {
    return { name, result: 'failed', detail: error instanceof Error ? error.message : String(error) };
  } finally {
    await reader.close();
  }
}

/** By the code, or a text of the broker's own; the address may hold a password. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== undefined) return `cannot be reached (${code})`;
  return /ACCESS_REFUSED|Handshake terminated|vhost/i.test(message ?? '')
    ? 'refuses the login'
    : 'has not answered as a broker does';
}
