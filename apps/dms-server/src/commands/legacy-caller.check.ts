import { type ChannelModel } from 'amqplib';
import { within } from './within';

const NOT_FOUND = 404;
const RESOURCE_LOCKED = 405;
const CHECK_MS = 5_000;
/** The broker's own reply queues (direct reply-to) cannot be declared, and are gone with their caller's connection. */
const PSEUDO_QUEUE = 'amq.rabbitmq.reply-to.';

/**
 * True if the queue on which the caller waits for its reply still stands. It is asked for passively, on a channel of
 * its own, for the broker closes the channel to say no: 404 where the queue is gone and so is the caller, 405 where it
 * is exclusive to a connection that lives.
 *
 * @throws Error if the broker does not say: the command is not to be obeyed then
 */
export async function callerWaits(connection: ChannelModel, replyTo: string): Promise<boolean> {
  if (replyTo.startsWith(PSEUDO_QUEUE)) return true;
  const channel = await within(connection.createChannel(), CHECK_MS, 'a channel to look for the caller');
  // The refusal comes as an event too, and one that nobody hears ends the process.
  channel.on('error', () => undefined);
  try {
    await within(channel.checkQueue(replyTo), CHECK_MS, 'the look for the caller');
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === NOT_FOUND) return false;
    if (code === RESOURCE_LOCKED) return true;
    throw error;
  }
  await within(channel.close(), CHECK_MS, 'the end of a channel');
  return true;
}
