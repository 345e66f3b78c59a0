import { problemsOf } from '../chaos/report';
import { runChaos } from '../chaos/run-chaos';
import { describeOnClusters, describeOnRig } from '../e2e/on-rig';

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

describeOnClusters('chaos on a database cluster and a broker cluster', () => {
  it(
    'No job is lied to and nothing is left behind while the nodes of both clusters are killed, stopped and cut off.',
    async () => {
      const result = await runChaos({ seed: 5, minutes: 1.5, cluster: true });
      expect({ problems: problemsOf(result), logs: result.logs }).toEqual({ problems: [], logs: null });
    },
    TIMEOUT_MS,
  );
});
