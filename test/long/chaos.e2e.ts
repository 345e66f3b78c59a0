import { problemsOf } from '../chaos/report';
import { runChaos } from '../chaos/run-chaos';
import { describeOnRig } from '../e2e/on-rig';

const TIMEOUT_MS = 420_000;

// On rigs of its own: the shared one must not have its broker and database killed.
describeOnRig('chaos for a long time', () => {
  it.each([
    { seed: 2, minutes: 1.2 },
    { seed: 41, minutes: 1.2 },
  ])(
    'tells no lie, leaves nothing behind, and ends every operation: %o',
    async (options) => {
      const result = await runChaos(options);
      expect({ problems: problemsOf(result), logs: result.logs }).toEqual({ problems: [], logs: null });
    },
    TIMEOUT_MS,
  );
});
