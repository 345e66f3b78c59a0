import { Rig } from '../rig';
import { missingForRig } from './on-rig';

/**
 * Rigs of private services for the end-to-end tests, one for each process that runs test files; each file has its own
 * database and hosts.
 */
export default async function globalSetup({ maxWorkers }: { readonly maxWorkers: number }): Promise<void> {
  if (missingForRig().length > 0) return;
  const rigs: Rig[] = [];
  (globalThis as { dmsRigs?: readonly Rig[] }).dmsRigs = rigs;
  // One after the other: what starts them is busy with the processor.
  while (rigs.length < maxWorkers) rigs.push(await Rig.start());
  process.env.DMS_TEST_RIGS = JSON.stringify(rigs.map(({ addresses }) => addresses));
}
