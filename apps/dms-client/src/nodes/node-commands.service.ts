import { Injectable, Logger } from '@nestjs/common';
import { DmsError, parseReply, type ParsedReply } from '@app/contracts';
import { firstValueFrom, timeout, TimeoutError } from 'rxjs';
import { NodeClientProxy, type NodePattern, ReplyLostError, UnroutableError } from './node-client.proxy';

/**
 * What became of a command.
 * - `reply`: the node answered;
 * - `unsent`: it was not delivered, nothing has happened;
 * - `unknown`: no answer that says anything; it may have been carried out, or may yet be until its expiration.
 */
export type CommandOutcome =
  | { readonly kind: 'reply'; readonly reply: ParsedReply }
  | { readonly kind: 'unsent'; readonly error: DmsError }
  | { readonly kind: 'unknown'; readonly reason: string };

/** Sends commands to nodes and says what became of each; it never rejects for what a node or the broker does. */
export interface NodeCommands {
  /** @param deadlineMs how long an answer is waited for */
  send(host: string, body: Record<string, unknown>, deadlineMs: number): Promise<CommandOutcome>;
}

export const NODE_COMMANDS = Symbol('NodeCommands');

@Injectable()
export class NodeCommandsService implements NodeCommands {
  readonly #log = new Logger(NodeCommandsService.name);

  constructor(private readonly client: NodeClientProxy) {}

  async send(host: string, body: Record<string, unknown>, deadlineMs: number): Promise<CommandOutcome> {
    const pattern: NodePattern = { host, action: String(body.action), expirationMs: deadlineMs };
    try {
      const answer = await firstValueFrom(this.client.send<unknown>(pattern, body).pipe(timeout(deadlineMs)));
      const reply = parseReply(answer);
      return reply === null
        ? { kind: 'unknown', reason: 'the node sent something that is no reply' }
        : { kind: 'reply', reply };
    } catch (error) {
      return this.#outcome(error, deadlineMs);
    }
  }

  #outcome(error: unknown, deadlineMs: number): CommandOutcome {
    if (error instanceof UnroutableError) return { kind: 'unsent', error };
    if (error instanceof DmsError && error.code === 'BROKER_UNAVAILABLE') return { kind: 'unsent', error };
    if (error instanceof TimeoutError)
      return { kind: 'unknown', reason: `no answer within ${deadlineMs / 1000} s` };
    if (error instanceof ReplyLostError) return { kind: 'unknown', reason: error.message };
    this.#log.error(error);
    return { kind: 'unknown', reason: 'the connection to the broker failed' };
  }
}
