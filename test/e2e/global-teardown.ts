import { type Rig } from '../rig';

export default async function globalTeardown(): Promise<void> {
  await (globalThis as { dmsRig?: Rig }).dmsRig?.stop();
}
