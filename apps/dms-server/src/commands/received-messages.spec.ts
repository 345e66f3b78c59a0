import { messageOf } from '../testing/test-decoder';
import { ReceivedMessages } from './received-messages';

describe('the messages that a process remembers', () => {
  it('are told apart by their bodies, senders and ids', () => {
    const received = new ReceivedMessages();
    received.note(messageOf('{}', { replyTo: 'a', correlationId: '1' }));
    expect(received.take(messageOf('{}', { replyTo: 'a', correlationId: '2' }))).toBe(false);
    expect(received.take(messageOf('{}', { replyTo: 'b', correlationId: '1' }))).toBe(false);
    expect(received.take(messageOf('[]', { replyTo: 'a', correlationId: '1' }))).toBe(false);
    expect(received.take(messageOf('{}', { replyTo: 'a', correlationId: '1' }))).toBe(true);
  });

  it('are at most 10,000: the oldest is forgotten', () => {
    const received = new ReceivedMessages();
    for (let index = 0; index <= 10_000; index += 1) received.note(messageOf(String(index)));
    expect(received.take(messageOf('0'))).toBe(false);
    expect(received.take(messageOf('1'))).toBe(true);
  });
});
