import { setImmediate as turn } from 'node:timers/promises';
import { AtOnce } from './at-once';

describe('work that goes on at once', () => {
  it('is bounded, keeps its order, and goes on after a failure', async () => {
    const slots = new AtOnce(2);
    const begun: number[] = [];
    let [now, most] = [0, 0];
    const work = async (index: number): Promise<void> => {
      begun.push(index);
      now += 1;
      most = Math.max(most, now);
      await turn();
      now -= 1;
      if (index === 1) throw new Error('failed');
    };
    const all = await Promise.allSettled([0, 1, 2, 3, 4].map((index) => slots.run(() => work(index))));
    expect([begun, most]).toEqual([[0, 1, 2, 3, 4], 2]);
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});
