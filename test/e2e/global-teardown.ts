import { type Rig } from '../rig';

export default async function globalTeardown(): Promise<void> {
  const { dmsRigs = [] } = globalThis as { dmsRigs?: readonly Rig[] };
  await Promise.all(dmsRigs.map((rig) => rig.stop()));
}
