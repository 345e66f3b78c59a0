import { Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { isObservable, of, throwError } from 'rxjs';
import { type NodeClientProxy } from './node-client.proxy';
import { type CommandOutcome, NodeCommandsService } from './node-commands.service';
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

function outcomeOf(action: string, answer: unknown): Promise<CommandOutcome> {
  const client = { send: () => (isObservable(answer) ? answer : of(answer)) } as unknown as NodeClientProxy;
  const body = { action, dms: { incarnation: 'memory-1', epoch: 4 } };
  const sealer = { seal: () => Promise.resolve(body) } as unknown as TokenSealer;
  return new NodeCommandsService(client, sealer).send('node-1', body, 1_000);
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

  it('is not waited for where the command was refused before it was sent', async () => {
    const error = new DmsError('FORBIDDEN', 'its replies are not signed');
    const refused = throwError(() => error);
    expect(await outcomeOf('mount', refused)).toEqual({ kind: 'unsent', error });
  });

  it('that is none says nothing', async () => {
    expect(await outcomeOf('mount', 'ok')).toMatchObject({ kind: 'unknown' });
  });
});
