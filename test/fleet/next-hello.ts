import { asHello, type Hello, helloRoutingKey } from '@app/contracts';
import { type Channel } from 'amqplib';
import { waitFor } from '../rig';

const HELLO_MS = 10_000;

/** The next hello of a node, or the next one after it that is as `wanted`. */
export async function nextHello(
  channel: Channel,
  host: string,
  wanted: (hello: Hello) => boolean = () => true,
  timeoutMs = HELLO_MS,
): Promise<Hello> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  try {
    await channel.bindQueue(queue, 'dms.events', helloRoutingKey(host));
    const next = async (): Promise<Hello | null> => {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return null;
      const hello = asHello(JSON.parse(message.content.toString()));
      return hello !== null && wanted(hello) ? hello : null;
    };
    return await waitFor(next, { timeoutMs, what: `a hello of ${host}` });
  } finally {
    await channel.deleteQueue(queue);
  }
}
