import { problemsOf } from '../chaos/report';
import { runChaos } from '../chaos/run-chaos';
import { describeOnRig } from '../e2e/on-rig';

const TIMEOUT_MS = 420_000;

// On rigs of its own: the shared one must not have its broker and database killed.
describeOnRig('chaos for a long time', () => {
  it.each([
    { seed: 101, minutes: 2 },
    { seed: 102, minutes: 2, clients: 3 },
    { seed: 103, minutes: 2, targets: 1, nodes: 1, pool: 6 },
  ])(
    'tells no lie, leaves nothing behind, and ends every operation: %o',
    async (options) => {
      const result = await runChaos(options);
      expect({ problems: problemsOf(result), logs: result.logs }).toEqual({ problems: [], logs: null });
    },
    TIMEOUT_MS,
  );
});
