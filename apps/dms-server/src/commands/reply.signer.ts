import { Inject, Injectable } from '@nestjs/common';
import { SIGNATURE_HEADER, type SignedMessage, signMessage } from '@app/contracts';
import { type ConsumeMessage } from 'amqplib';
import { NODE_KEYS, type NodeKeys } from '../keys/node-keys';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { receivedCommand, signatureOf } from './received-command';

/** Signs replies with the node's key: every one, for clients that have heard so ignore others. */
@Injectable()
export class ReplySigner {
  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'nodeId'>,
    @Inject(NODE_KEYS) private readonly keys: Pick<NodeKeys, 'signing'>,
  ) {}

  /** AMQP headers of the reply with this body to this command. */
  async headersOf(command: ConsumeMessage, content: Buffer): Promise<Record<string, string>> {
    const answers = { content: command.content, signature: signatureOf(command) };
    const received = receivedCommand(this.settings.nodeId, command);
    const reply: SignedMessage = { ...received, kind: 'reply', content, answers };
    return { [SIGNATURE_HEADER]: await signMessage(reply, this.keys.signing, null) };
  }
}
