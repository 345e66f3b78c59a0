import { Logger } from '@nestjs/common';
import { FakeConnection } from '../testing/fake-connection';
import { messageOf } from '../testing/test-decoder';
import { CallerChecks } from './caller-checks';
import { CommandGate, type UnreadMessage } from './command-gate';
import { type Delivery } from './queue-consumer';

const LEGACY = '{"action": "mount", "backup_target": {"id": "t1"}}';
const OURS = JSON.stringify({ action: 'mount', dms: { epoch: 1 } });

let connection: FakeConnection;
let gate: CommandGate;
beforeAll(() => {
  Logger.overrideLogger(false);
});
beforeEach(() => {
  connection = new FakeConnection();
  connection.queues.set('caller', 'stands').set('refused', 403);
  gate = new CommandGate(new CallerChecks());
});

const unread = (
  content: string,
  properties: { replyTo?: string; correlationId?: string; expiration?: string } = {},
  redelivered = false,
): Promise<UnreadMessage | null> => {
  const message = messageOf(content, properties);
  Object.assign(message.fields, { redelivered });
  return gate.unread({ message, connection: connection.model } as unknown as Delivery);
};
const again = (content: string, properties = {}): Promise<UnreadMessage | null> =>
  unread(content, properties, true);

describe('a message that is delivered again', () => {
  const deliveredBefore = {
    action: 'refused',
    result: { status: 'error', error_code: 'TIMEOUT', acted: true, epoch: null, mount: null },
  };

  it('is answered unread if another process had it: it may have ended that one', async () => {
    expect(await again(LEGACY, { replyTo: 'caller' })).toMatchObject({ ...deliveredBefore, extended: false });
    expect(await again(OURS)).toMatchObject({ ...deliveredBefore, extended: true });
    expect(await again('not json')).toMatchObject({ ...deliveredBefore, extended: false });
    expect(connection.opened).toBe(0);
  });

  it('is read once more by a process that has received it and lives, and never after that', async () => {
    const properties = { replyTo: 'caller', correlationId: 'one' };
    expect(await unread(LEGACY, properties)).toBeNull();
    expect(await again(LEGACY, { ...properties, correlationId: 'two' })).toMatchObject(deliveredBefore);
    expect(await again(LEGACY, properties)).toBeNull();
    expect(await again(LEGACY, properties)).toMatchObject(deliveredBefore);
  });
});

describe('a message of a caller that is gone', () => {
  it('is dropped unread, if it may be old and no epoch protects from it', async () => {
    expect(await unread(LEGACY, { replyTo: 'gone' })).toMatchObject({ action: 'dropped' });
    expect(await unread('not json', { replyTo: 'gone' })).toMatchObject({ action: 'dropped' });
    expect(await unread(LEGACY, { replyTo: 'caller' })).toBeNull();
    expect(await unread(LEGACY)).toBeNull();
  });

  it('is read if it has an expiration or an epoch: its caller is not asked for', async () => {
    expect(await unread(LEGACY, { replyTo: 'gone', expiration: '60000' })).toBeNull();
    expect(await unread(OURS, { replyTo: 'gone' })).toBeNull();
    expect(connection.opened).toBe(0);
  });

  it('is refused, and nothing is done, if the broker does not say whether the caller is there', async () => {
    expect(await unread(LEGACY, { replyTo: 'refused' })).toMatchObject({
      action: 'refused',
      result: { error_code: 'BROKER_UNAVAILABLE', acted: false },
    });
  });
});
