import { EventParser } from './event-parser';

describe('EventParser', () => {
  it('makes events of pieces, wherever they are cut', () => {
    const stream =
      'retry: 1500\n: events from now on\n\nid: 1\nevent: mounted\ndata: {"a":1}\n\n: heartbeat\n\ndata: b\ndata: c\r\n\r\n';
    for (const size of [1, 2, 7, stream.length]) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < stream.length; at += size)
        events.push(...parser.push(stream.slice(at, at + size)));
      expect(events).toEqual([
        { id: '1', data: '{"a":1}' },
        { id: null, data: 'b\nc' },
      ]);
      expect(parser.retryMs).toBe(1_500);
    }
  });

  it('gives up on what never ends', () => {
    const parser = new EventParser();
    expect(() => parser.push('x'.repeat(2_000_000))).toThrow(RangeError);
  });
});
