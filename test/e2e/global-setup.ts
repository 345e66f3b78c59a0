import { Rig } from '../rig';
import { missingForRig } from './on-rig';

/** One rig of private services for all end-to-end tests; each file has its own database and hosts. */
export default async function globalSetup(): Promise<void> {
  if (missingForRig().length > 0) return;
  const rig = await Rig.start();
  process.env.DMS_TEST_RIG = JSON.stringify(rig.addresses);
  (globalThis as { dmsRig?: Rig }).dmsRig = rig;
}
