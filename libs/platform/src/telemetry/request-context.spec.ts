import {
  contextOfHttp,
  contextOfMessage,
  currentRequest,
  forRequest,
  headersOfRequest,
  keptContext,
} from './request-context';
import { parseTraceParent } from './trace-parent';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('traceparent', () => {
  it('is read as W3C has it', () => {
    expect(parseTraceParent(TRACE)).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      flags: 1,
    });
    expect(parseTraceParent(`cc${TRACE.slice(2)}-what-is-to-come`)).not.toBeNull();
  });

  it.each([
    undefined,
    7,
    '',
    TRACE.toUpperCase(),
    `${TRACE}-more`,
    `ff${TRACE.slice(2)}`,
    TRACE.replace(/-[0-9a-f]{32}-/, `-${'0'.repeat(32)}-`),
    TRACE.replace(/-[0-9a-f]{16}-/, `-${'0'.repeat(16)}-`),
    `cc${TRACE.slice(2)}-${'x'.repeat(300)}`,
  ])('%p is none', (text) => expect(parseTraceParent(text)).toBeNull());
});

describe('the id of a request', () => {
  it.each([
    ['order-4711/backup', 'order-4711/backup'],
    ['a'.repeat(128), 'a'.repeat(128)],
  ])('is the caller’s own: %s', (given, id) => {
    expect(contextOfHttp({ 'x-request-id': given, traceparent: TRACE }).requestId).toBe(id);
  });

  it.each(['', 'two words', 'line\nbreak', '"quoted"', '-option', 'ümlaut', 'a'.repeat(129), ['a', 'b']])(
    'is that of the trace instead of %p, and without a trace a new one',
    (given) => {
      const { requestId } = contextOfHttp({ 'x-request-id': given, traceparent: TRACE });
      expect(requestId).toBe('0af7651916cd43dd8448eb211c80319c');
      expect(contextOfHttp({ 'x-request-id': given }).requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    },
  );

  it('goes along with a message, and so does the caller’s trace where none is made here', () => {
    const context = contextOfHttp({ 'x-request-id': 'one', traceparent: TRACE });
    const headers = forRequest(context, headersOfRequest);
    expect(headers).toEqual({ 'dms-request-id': 'one', traceparent: TRACE });
    expect(contextOfMessage(headers)).toEqual(context);
    expect(headersOfRequest()).toEqual({});
  });

  it.each([{}, { 'dms-request-id': 7 }, { 'dms-request-id': 'a b' }])('is not taken from %p', (headers) => {
    expect(contextOfMessage(headers)).toBeNull();
  });

  it('can be kept for what is done later', async () => {
    const kept = forRequest({ requestId: 'one', caller: null }, keptContext);
    await Promise.resolve();
    expect(currentRequest()).toBeNull();
    expect(kept(() => currentRequest()?.requestId)).toBe('one');
  });
});
