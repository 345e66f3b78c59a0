import { nodeQueue, SIGNATURE_HEADER, type SignedMessage } from '@app/contracts';
import { type ConsumeMessage } from 'amqplib';

/** Longer bodies are not read. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** A message as its sender signs it, if he does. */
export function receivedCommand(node: string, { content, properties }: ConsumeMessage): SignedMessage {
  const { replyTo, correlationId } = properties as { replyTo?: unknown; correlationId?: unknown };
  return {
    kind: 'command',
    address: nodeQueue(node),
    content,
    replyTo: textOf(replyTo),
    correlationId: textOf(correlationId),
  };
}

/** What a message bears as its signature; null where that is none. */
export function signatureOf({ properties }: ConsumeMessage): string | null {
  const { headers } = properties as { headers?: Record<string, unknown> };
  return textOf(headers?.[SIGNATURE_HEADER]);
}

/** The queue on which the sender waits for its reply; null if it waits for none. */
export function replyQueueOf({ properties }: ConsumeMessage): string | null {
  return textOf((properties as { replyTo?: unknown }).replyTo);
}

/** True for a message that its sender lets wait for as long as it may be. */
export function isUndated({ properties }: ConsumeMessage): boolean {
  const { expiration } = properties as { expiration?: unknown };
  return expiration === undefined || expiration === '';
}

/** Whether a program that knows epochs has written the body, as can be told without reading it. */
export function bearsEnvelope({ content }: ConsumeMessage): boolean {
  return content.subarray(0, MAX_BODY_BYTES).includes('"dms":{');
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
