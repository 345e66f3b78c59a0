import { problemsOf } from '../chaos/report';
import { runChaos } from '../chaos/run-chaos';
import { describeOnRig } from './on-rig';

const TIMEOUT_MS = 300_000;

// On a rig of its own: the shared one must not have its broker and database killed.
describeOnRig('chaos for a short time', () => {
  it(
    'tells no lie, leaves nothing behind, and ends every operation',
    async () => {
      const result = await runChaos({ seed: 7, minutes: 0.75 });
      expect({ problems: problemsOf(result), logs: result.logs }).toEqual({ problems: [], logs: null });
      expect(result.harms.length).toBeGreaterThan(3);
      expect(result.jobs).toBeGreaterThan(10);
    },
    TIMEOUT_MS,
  );
});
