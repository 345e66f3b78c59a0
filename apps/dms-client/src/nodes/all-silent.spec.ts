import { type NodeState } from '@app/contracts';
import { allSilentWarning } from './all-silent';
import { NodeViewsService } from './node-views.service';
import { type NodesRepository } from './nodes.repository';

describe('nodes that are silent all at once', () => {
  it.each<[boolean, NodeState[]]>([
    [true, ['silent', 'silent']],
    [true, ['silent', 'forgotten', 'silent', 'legacy']],
    [false, ['silent', 'up']],
    [false, ['silent']],
    [false, ['silent', 'forgotten']],
    [false, []],
  ])('are a reason to check the broker first (%s) where the nodes are %j', (expected, states) => {
    expect(allSilentWarning(states)?.includes('check the message broker first') ?? false).toBe(expected);
  });

  it('are told of once this process has listened, whatever the ledger says of them', async () => {
    jest.useFakeTimers({ now: 0 });
    try {
      const states = (): Promise<NodeState[]> => Promise.resolve(['up', 'up']);
      const views = new NodeViewsService({ states } as unknown as NodesRepository);
      expect(await views.silenceWarning()).toBeNull();
      jest.advanceTimersByTime(6_000);
      expect(await views.silenceWarning()).toMatch(/^All 2 nodes are silent: check the message broker first/);
    } finally {
      jest.useRealTimers();
    }
  });
});
