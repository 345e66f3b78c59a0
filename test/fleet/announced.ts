import { type Channel } from 'amqplib';

/** Publishes an event of that routing key, and resolves when the broker has taken it. @throws Error if it refuses */
export async function announced(channel: Channel, routingKey: string): Promise<void> {
  const refused = new Promise<never>((_resolve, reject) => channel.once('error', reject));
  channel.publish('dms.events', routingKey, Buffer.from('{}'));
  // The broker takes what a channel sends in its order: this answer comes after the publication.
  await Promise.race([refused, channel.checkExchange('dms.events')]);
}
