import { BoundedOutput } from './bounded-output';

describe('BoundedOutput', () => {
  it('keeps both ends of a long output', () => {
    const output = new BoundedOutput(4);
    for (const chunk of ['ab', 'cdef', 'g', 'hijkl']) output.add(Buffer.from(chunk));
    expect(output.toString()).toBe('abcd\n[4 bytes left out]\nijkl');
  });

  it('keeps all of a short one', () => {
    const output = new BoundedOutput(4);
    output.add(Buffer.from('abcdef'));
    expect(output.toString()).toBe('abcdef');
  });
});
