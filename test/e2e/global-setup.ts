import { join } from 'node:path';
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
  if (maxWorkers > 1) separateMounts();
}

/**
 * Has Jest start its processes with mount namespaces of their own. A test that makes a namespace copies all mounts that it
 * finds, and one in the other process would rightly be told that its mount lives on elsewhere.
 */
function separateMounts(): void {
  process.env.DMS_TEST_NODE = process.execPath;
  process.execPath = join(__dirname, 'own-mounts.sh');
}
