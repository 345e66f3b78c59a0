import { type ChannelModel } from 'amqplib';

/**
 * True if the queue exists and somebody consumes it.
 *
 * A passive declare of a queue that does not exist closes its channel, hence a channel of its own.
 *
 * @throws Error where the broker does not answer
 */
export async function listensOn(connection: ChannelModel, queue: string): Promise<boolean> {
  const channel = await connection.createChannel();
  channel.on('error', () => undefined); // The error comes by the rejected call, too.
  try {
    const { consumerCount } = await channel.checkQueue(queue);
    await channel.close();
    return consumerCount > 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === 404) return false;
    throw error;
  }
}
