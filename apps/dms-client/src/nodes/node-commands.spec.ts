import { Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { NEVER, of, throwError } from 'rxjs';
import { type CommandRoutes } from './command-routes';
import { type NodeClientProxy, type NodePattern, UnroutableError } from './node-client.proxy';
import { type CommandOutcome, NodeCommandsService } from './node-commands.service';
import { type NodeViewsService } from './node-views.service';
import { type ReplyTrustService } from './reply-trust.service';
import { type TokenSealer } from './token-sealer.service';

const REPLY = {
  status: 'success',
  error_msg: null,
  success_msg: 'ok',
  error_code: null,
  node: 'node-1',
  incarnation: 'memory-1',
  epoch: 4,
  mount: null,
  acted: true,
};

function outcomeOf(
  action: string,
  answer: unknown,
  refusal?: DmsError,
  isKnown = (): Promise<boolean> => Promise.resolve(true),
): Promise<CommandOutcome> {
  const sent = answer instanceof Error ? throwError(() => answer) : of(answer);
  const client = { send: () => sent } as unknown as NodeClientProxy;
  const body = { action, dms: { incarnation: 'memory-1', epoch: 4 } };
  const sealer = { seal: () => Promise.resolve(body) } as unknown as TokenSealer;
  const keyToExpect = (): Promise<'none'> =>
    refusal === undefined ? Promise.resolve('none') : Promise.reject(refusal);
  const replies = { keyToExpect } as unknown as ReplyTrustService;
  const silenceWarning = (): Promise<string> => Promise.resolve('All 2 nodes are silent');
  const views = { isKnown, silenceWarning, nodeClockMs: () => null } as unknown as NodeViewsService;
  const queues = ['dms.node-1'];
  const routes = { next: () => Promise.resolve(queues.pop() ?? null) } as unknown as CommandRoutes;
  return new NodeCommandsService(client, sealer, replies, views, routes).send('node-1', body, 1_000);
}

describe('the answer to a command', () => {
  beforeAll(() => void Logger.overrideLogger(false));

  it('counts if it is of the node and the memory for which the command was', async () => {
    expect(await outcomeOf('mount', REPLY)).toMatchObject({ kind: 'reply', reply: { reply: { epoch: 4 } } });
    expect(await outcomeOf('mount', { status: 'success' })).toMatchObject({ kind: 'reply' });
  });

  it.each([
    ['another node', { node: 'node-2' }],
    ['another memory', { incarnation: 'memory-2' }],
  ])('of %s says nothing', async (_, changes) => {
    expect(await outcomeOf('mount', { ...REPLY, ...changes })).toMatchObject({ kind: 'unknown' });
  });

  it('may tell of another memory where nothing was done, or only looked', async () => {
    const other = { ...REPLY, incarnation: 'memory-2' };
    expect(await outcomeOf('mount', { ...other, acted: false })).toMatchObject({ kind: 'reply' });
    expect(await outcomeOf('probe', other)).toMatchObject({ kind: 'reply' });
  });

  it('A command whose queue went with its node is sent again by the new queue, and the answer to that counts.', async () => {
    const sentBy: string[] = [];
    const client = {
      send: ({ queue }: NodePattern) => {
        sentBy.push(queue);
        return queue === 'dms.node-1.second' ? of(REPLY) : NEVER;
      },
    } as unknown as NodeClientProxy;
    const body = { action: 'mount', dms: { incarnation: 'memory-1', epoch: 4, deadline_ms: 2_000 } };
    const service = new NodeCommandsService(
      client,
      { seal: () => Promise.resolve(body) } as unknown as TokenSealer,
      { keyToExpect: () => Promise.resolve('none') } as unknown as ReplyTrustService,
      { nodeClockMs: () => null } as unknown as NodeViewsService,
      {
        next: () => Promise.resolve('dms.node-1.first'),
        successorOf: () => 'dms.node-1.second',
      } as unknown as CommandRoutes,
    );
    expect(await service.send('node-1', body, 2_000)).toMatchObject({ kind: 'reply' });
    expect(sentBy).toEqual(['dms.node-1.first', 'dms.node-1.second']);
  });

  it('is not asked for where it could not be verified', async () => {
    const error = new DmsError('FORBIDDEN', 'its replies are not signed');
    expect(await outcomeOf('mount', REPLY, error)).toEqual({ kind: 'unsent', error });
  });

  it.each([
    ['known', () => Promise.resolve(true), /for host "node-1": it does not run, hangs, [^,]*$/],
    [
      'perhaps known',
      () => Promise.reject(new Error('away')),
      /for host "node-1": it does not run, hangs, [^,]*$/,
    ],
    [
      'never heard of',
      () => Promise.resolve(false),
      /for host "node-1".*, and none was ever heard.*"dms nodes"/,
    ],
  ])('does not come where nobody listens, on a host that is %s', async (_, isKnown, words) => {
    const outcome = await outcomeOf('mount', new UnroutableError('node-1'), undefined, isKnown);
    expect(outcome).toMatchObject({
      kind: 'unsent',
      error: { code: 'NODE_UNREACHABLE', message: expect.stringMatching(words) as string },
    });
  });

  it('says to check the broker first where nobody listens on a host and all nodes are silent', async () => {
    expect(await outcomeOf('mount', new UnroutableError('node-1'))).toMatchObject({
      error: {
        message: expect.stringMatching(/cut off from the broker\. All 2 nodes are silent$/) as string,
      },
    });
  });

  it('that is none says nothing', async () => {
    expect(await outcomeOf('mount', 'ok')).toMatchObject({ kind: 'unknown' });
  });
});
