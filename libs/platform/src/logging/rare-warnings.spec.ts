import { type Logger } from '@nestjs/common';
import { RareWarnings } from './rare-warnings';

describe('rare warnings', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('are logged once in half a minute each, also in turn', () => {
    const logged: unknown[] = [];
    const warnings = new RareWarnings({ warn: (text: unknown) => logged.push(text) } as unknown as Logger);
    for (const text of ['a', 'b', 'a', 'b', 'a']) warnings.warn(text);
    expect(logged).toEqual(['a', 'b']);
    jest.advanceTimersByTime(30_000);
    warnings.warn('a');
    expect(logged).toEqual(['a', 'b', 'a']);
  });

  it('log an error once in half a minute for each of its messages', () => {
    const logged: unknown[] = [];
    const warnings = new RareWarnings({ warn: (text: unknown) => logged.push(text) } as unknown as Logger);
    const [away, full] = [new Error('away'), new Error('full')];
    for (const error of [away, new Error('away'), full]) warnings.warn('It failed', error);
    expect(logged).toEqual([
      { msg: 'It failed', err: away },
      { msg: 'It failed', err: full },
    ]);
  });
});
