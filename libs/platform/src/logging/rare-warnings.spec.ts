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
});
