import { inTurns } from './in-turns';

it('a node with many open targets leaves those of other nodes their turn', () => {
  const silent = Array.from({ length: 500 }, (_, index) => ({ host: 'silent', targetId: `t${index}` }));
  const found = inTurns([...silent, { host: 'a', targetId: '1' }, { host: 'a', targetId: '2' }], 5);
  expect(found.map(({ host, targetId }) => `${host} ${targetId}`)).toEqual([
    'silent t0',
    'a 1',
    'silent t1',
    'a 2',
    'silent t2',
  ]);
});
