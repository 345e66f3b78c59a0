import { FairMap } from './fair-map';

describe('a map that owners share', () => {
  it('takes nothing from an owner when another one fills it', () => {
    const map = new FairMap<number>(5);
    map.set('quiet', 'k', 0);
    for (let index = 0; index < 100; index += 1) map.set('loud', `k${index}`, index);
    expect(map.size).toBe(5);
    expect([...map.of('quiet').keys()]).toEqual(['k']);
    expect([...map.of('loud').keys()]).toEqual(['k96', 'k97', 'k98', 'k99']);
  });

  it('keeps nothing of an owner that has no entry any more', () => {
    const map = new FairMap<number>(5);
    map.set('a', 'k', 0);
    map.set('a', 'k', 1);
    expect([map.size, map.owners()]).toEqual([1, ['a']]);
    map.delete('a', 'k');
    map.delete('a', 'k');
    expect([map.size, map.owners()]).toEqual([0, []]);
  });
});
