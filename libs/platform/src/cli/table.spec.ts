import { render } from './table';

describe('a table', () => {
  it('has columns without lines', () => {
    const text = render([{ columns: ['JOB', 'TARGET'], rows: [[1, 'a'], [12345, null]], empty: 'None.' }]); // prettier-ignore
    expect(text.split('\n')).toEqual(['JOB    TARGET', '1      a', '12345  -']);
  });

  it('says that it is empty', () => {
    expect(render([{ title: 'Mounts:', columns: ['A'], rows: [], empty: 'None.' }])).toBe('Mounts:\nNone.');
  });

  it('shows facts and sentences one below the other', () => {
    const facts = [['mount path', '/x'], ['busy', true]] as const; // prettier-ignore
    expect(render(['Done.', { facts }])).toBe('Done.\n\nmount path  /x\nbusy        yes');
  });

  it('does not let what it shows steer the terminal', () => {
    expect(render([{ facts: [['a', '\u001b[31mred\u0007']] }])).toBe('a  ?[31mred?');
  });
});
