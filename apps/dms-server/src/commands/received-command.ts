import { nodeQueue, SIGNATURE_HEADER, type SignedMessage } from '@app/contracts';
import { type ConsumeMessage } from 'amqplib';

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

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
