import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonWebKey } from 'node:crypto';
import { keyPairOf, type PublicKey } from '@app/contracts';
import { type ConsumeMessage } from 'amqplib';
import { CommandDecoder } from '../commands/command.decoder';
import { CommandSignatures } from '../commands/command-signatures';
import { type NodeKeys } from '../keys/node-keys';

const GOLDEN_KEYS = join(__dirname, '../../../../libs/contracts/golden/keys.json');

/** The keys of the golden messages: those of the node, and the client's. */
export async function goldenKeys(): Promise<NodeKeys & { client: NodeKeys['signing'] }> {
  const keys = JSON.parse(readFileSync(GOLDEN_KEYS, 'utf8')) as Record<string, JsonWebKey>;
  return {
    encryption: await keyPairOf(keys.encryption, 'X25519'),
    signing: await keyPairOf(keys.signing, 'Ed25519'),
    client: await keyPairOf(keys.client, 'Ed25519'),
  };
}

export interface DecoderOptions {
  readonly node: string;
  readonly incarnation: string;
  readonly keys: Pick<NodeKeys, 'encryption'>;
  readonly clientKeys?: readonly PublicKey<'Ed25519'>[];
  readonly requireSigned?: boolean;
}

export function decoderOf({
  node,
  incarnation,
  keys,
  clientKeys = [],
  requireSigned = false,
}: DecoderOptions): CommandDecoder {
  const settings = { nodeId: node, requireSigned };
  const trusted = { current: () => Promise.resolve(clientKeys) };
  return new CommandDecoder(settings, keys, { incarnation }, new CommandSignatures(settings, trusted));
}

/** A message as amqplib hands it on. */
export function messageOf(
  content: string,
  properties: { replyTo?: string; correlationId?: string; headers?: Record<string, unknown> } = {},
): ConsumeMessage {
  return { content: Buffer.from(content), properties, fields: {} } as unknown as ConsumeMessage;
}
