import { plainText, quoted, steers } from './plain-text';

describe('text of somebody else', () => {
  it.each([
    '\n',
    '\r',
    '\0',
    '\u001b[31m',
    '\u007f',
    '\u0085',
    '\u009b31m',
    '\u2028',
    '\u202e',
    '\u2066',
    '\u200f',
  ])('holds a control character: %j', (control) => {
    expect(steers(`a${control}b`)).toBe(true);
    expect(steers(plainText(`a${control}b`))).toBe(false);
  });

  it('is left as it is otherwise', () => {
    expect(plainText('Größe 大 🪣 a b')).toBe('Größe 大 🪣 a b');
  });

  it('stands in a sentence plain, cut and in quotation marks', () => {
    expect(quoted('\n[CRT] "no"\u001b ', 100)).toBe(`"[CRT] 'no'"`);
    expect(quoted('x'.repeat(1_000), 10)).toBe(`"${'x'.repeat(10)}…"`);
  });
});
