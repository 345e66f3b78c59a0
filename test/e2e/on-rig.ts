import { type RigAddresses } from '../rig';

interface Unavailable {
  readonly feature: string;
  readonly reason: string;
}

/** Tests on the private services; where one of them cannot be had on this machine they are skipped and say why. */
export function describeOnRig(name: string, tests: (rig: RigAddresses) => void): void {
  const unavailable = JSON.parse(process.env.DMS_TEST_UNAVAILABLE ?? '[]') as Unavailable[];
  const text = process.env.DMS_TEST_RIG;
  if (text !== undefined) return describe(name, () => tests(JSON.parse(text) as RigAddresses));
  const reasons = unavailable.map(({ reason }) => reason).join('; ');
  describe.skip(name, () => it(`needs services that cannot be had here: ${reasons}`, () => undefined));
}
