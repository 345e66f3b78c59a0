import { Injectable, Logger } from '@nestjs/common';
import { DmsError, type EnvelopeDto, type NodeReply, parseReply, type ParsedReply } from '@app/contracts';
import { measured } from '@app/platform';
import {
  catchError,
  filter,
  firstValueFrom,
  interval,
  map,
  merge,
  mergeMap,
  NEVER,
  type Observable,
  take,
  timeout,
  TimeoutError,
} from 'rxjs';
import { CommandRoutes } from './command-routes';
import { NodeClientProxy, type NodePattern, ReplyLostError, UnroutableError } from './node-client.proxy';
import { NodeViewsService } from './node-views.service';
import { type ReplyKey, ReplyTrustService } from './reply-trust.service';
import { TokenSealer } from './token-sealer.service';

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
  /**
   * @param body a token stands in it as a Secret: it is sealed for the node here
   * @param deadlineMs how long an answer is waited for
   */
  send(host: string, body: Record<string, unknown>, deadlineMs: number): Promise<CommandOutcome>;
}

/** How often it is looked whether a node that has not answered has a new queue. */
const NEW_QUEUE_MS = 200;

export const NODE_COMMANDS = Symbol('NodeCommands');

@Injectable()
export class NodeCommandsService implements NodeCommands {
  readonly #log = new Logger(NodeCommandsService.name);

  constructor(
    private readonly client: NodeClientProxy,
    private readonly sealer: TokenSealer,
    private readonly replies: ReplyTrustService,
    private readonly views: NodeViewsService,
    private readonly routes: CommandRoutes,
  ) {}

  send(host: string, body: Record<string, unknown>, deadlineMs: number): Promise<CommandOutcome> {
    const { operation_id } = (body.dms ?? {}) as Partial<EnvelopeDto>;
    const attributes = { action: String(body.action), host, operation_id };
    return measured('rpc', attributes, () => this.#send(host, body, deadlineMs), codeOf);
  }

  async #send(host: string, body: Record<string, unknown>, deadlineMs: number): Promise<CommandOutcome> {
    const deadline = performance.now() + deadlineMs;
    let replyKey: ReplyKey;
    let sealed: Record<string, unknown>;
    try {
      replyKey = await this.replies.keyToExpect(host);
      sealed = await this.sealer.seal(host, body, deadlineMs);
    } catch (error) {
      if (!(error instanceof DmsError)) this.#log.error(error);
      return { kind: 'unsent', error: DmsError.from(error) };
    }
    const tried = new Set<string>();
    for (;;) {
      const queue = await this.routes.next(host, tried, deadline);
      if (queue === null) return { kind: 'unsent', error: await this.#unreachable(host) };
      const action = String(body.action);
      // The first one has all of the time: what came before it is not the node's.
      const expirationMs = tried.size === 0 ? deadlineMs : Math.max(1, deadline - performance.now());
      tried.add(queue);
      try {
        return await this.#ask({ host, queue, action, expirationMs, replyKey }, sealed);
      } catch (error) {
        if (!(error instanceof UnroutableError)) return this.#outcome(error, deadlineMs);
      }
    }
  }

  /** @throws what the client says; UnroutableError only if the command was certainly not carried out */
  async #ask(pattern: NodePattern, body: Record<string, unknown>): Promise<CommandOutcome> {
    const { host, expirationMs } = pattern;
    const deadline = performance.now() + expirationMs;
    const answer = await firstValueFrom(this.#sent(pattern, body, deadline).pipe(timeout(expirationMs)));
    const reply = parseReply(answer);
    if (reply === null) return { kind: 'unknown', reason: 'the node sent something that is no reply' };
    const wrong = reply.kind === 'node' ? notTheOneAsked(host, body, reply.reply) : null;
    if (wrong === null) return { kind: 'reply', reply };
    this.#log.error({ msg: `The answer to a command says nothing: ${wrong}`, host });
    return { kind: 'unknown', reason: wrong };
  }

  /**
   * Sends the command; and once more by each new queue of the node's own that the node names before it has answered. With
   * the former queue the broker has dropped what the node had not acknowledged. The node carries an epoch out once: to a
   * command that it has received before, it answers with what became of it.
   */
  #sent(pattern: NodePattern, body: Record<string, unknown>, deadline: number): Observable<unknown> {
    const { host, queue } = pattern;
    const expirationMs = Math.max(1, deadline - performance.now());
    const first = this.client.send<unknown>(
      { ...pattern, expirationMs },
      this.#dated(host, body, expirationMs),
    );
    const again = interval(NEW_QUEUE_MS).pipe(
      map(() => this.routes.successorOf(host, queue)),
      filter((successor) => successor !== null),
      take(1),
      mergeMap((successor) =>
        this.#sent({ ...pattern, queue: successor }, body, deadline).pipe(catchError(() => NEVER)),
      ),
    );
    return merge(first, again);
  }

  /** The command with what its sender waits, and when it is sent by the node's own clock. */
  #dated(host: string, body: Record<string, unknown>, leftMs: number): Record<string, unknown> {
    const envelope = body.dms as EnvelopeDto | undefined;
    if (envelope === undefined) return body;
    const clock = this.views.nodeClockMs(host);
    const deadline_ms = Math.max(1, Math.min(envelope.deadline_ms, Math.floor(leftMs)));
    const dms = { ...envelope, deadline_ms, ...(clock === null ? {} : { sent_clock_ms: clock }) };
    return { ...body, dms };
  }

  async #unreachable(host: string): Promise<DmsError> {
    if (!(await this.#isKnown(host))) return neverHeardOf(host);
    return new UnroutableError(host, await this.views.silenceWarning());
  }

  /** It only decides about words: where it cannot be told the node is taken to be known. */
  #isKnown(host: string): Promise<boolean> {
    return this.views.isKnown(host).catch(() => true);
  }

  #outcome(error: unknown, deadlineMs: number): CommandOutcome {
    if (error instanceof DmsError && error.code === 'BROKER_UNAVAILABLE') return { kind: 'unsent', error };
    if (error instanceof TimeoutError)
      return { kind: 'unknown', reason: `no answer within ${deadlineMs / 1000} s` };
    if (error instanceof ReplyLostError) return { kind: 'unknown', reason: error.message };
    this.#log.error(error);
    return { kind: 'unknown', reason: 'the connection to the broker failed' };
  }
}

function neverHeardOf(host: string): DmsError {
  const message = `No dms-server listens for host "${host}", and none was ever heard of there: "dms nodes" shows those that were (GET /api/v1/nodes)`;
  return new DmsError('NODE_UNREACHABLE', message);
}

function codeOf(outcome: CommandOutcome): string | null {
  switch (outcome.kind) {
    case 'unsent':
      return outcome.error.code;
    case 'unknown':
      return 'TIMEOUT';
    case 'reply':
      if (outcome.reply.kind === 'node') return outcome.reply.reply.error_code;
      return outcome.reply.reply.status === 'error' ? 'INTERNAL' : null;
  }
}

/** Why a reply is not that of the node and of the memory for which the command was; null where it is. */
function notTheOneAsked(host: string, body: Record<string, unknown>, reply: NodeReply): string | null {
  if (reply.node !== host) return `node "${reply.node}" answered for "${host}"`;
  const { incarnation, epoch } = (body.dms ?? {}) as Partial<EnvelopeDto>;
  // Looks are for any memory; who refuses a command as overtaken says for which memory it speaks.
  const bound = incarnation !== undefined && incarnation !== null && epoch !== 0 && body.action !== 'probe';
  if (!bound || !reply.acted || reply.incarnation === incarnation) return null;
  return `incarnation ${reply.incarnation} answered for ${incarnation}`;
}
