import { type RigAddresses } from '../rig';

interface Unavailable {
  readonly feature: string;
  readonly reason: string;
}

/** Package groups that only some tests need; the rig is made of the others. */
const NFS = 'nfs';
const MONITORING = 'monitoring';
const DOCUMENTS = 'documents';
const CONTAINERS = 'containers';
const CLUSTERS = 'clusters';
const OPTIONAL = [NFS, MONITORING, DOCUMENTS, CONTAINERS, CLUSTERS];

/** What the rig needs and this machine cannot have. */
export function missingForRig(): Unavailable[] {
  return unavailable().filter(({ feature }) => !OPTIONAL.includes(feature));
}

/** Tests on the private services; where one of them cannot be had on this machine they are skipped and say why. */
export function describeOnRig(name: string, tests: (rig: RigAddresses) => void): void {
  const rigs = process.env.DMS_TEST_RIGS;
  if (rigs === undefined) return skip(name, missingForRig());
  // Jest numbers the processes that run its test files from 1.
  const rig = (JSON.parse(rigs) as RigAddresses[])[Number(process.env.JEST_WORKER_ID) - 1];
  describe(name, () => tests(rig));
}

/** Tests on the private services and on nodes with an NFS client; see test/fleet/nfs-fleet.ts. */
export function describeOnNfsRig(name: string, tests: (rig: RigAddresses) => void): void {
  describeWith(NFS, name, tests);
}

/** Tests on the private services and on a Prometheus; see test/rig/prometheus. */
export function describeMonitored(name: string, tests: (rig: RigAddresses) => void): void {
  describeWith(MONITORING, name, tests);
}

/** Tests on the private services, with the programs that the documents' commands call. */
export function describeDocumented(name: string, tests: (rig: RigAddresses) => void): void {
  describeWith(DOCUMENTS, name, tests);
}

/** Tests that start a database cluster and a broker cluster of their own. */
export function describeOnClusters(name: string, tests: (rig: RigAddresses) => void): void {
  describeWith(CLUSTERS, name, tests);
}

function describeWith(needed: string, name: string, tests: (rig: RigAddresses) => void): void {
  const missing = unavailable().filter(({ feature }) => feature === needed);
  if (missing.length > 0) return skip(name, [...missingForRig(), ...missing]);
  describeOnRig(name, tests);
}

function skip(name: string, missing: readonly Unavailable[]): void {
  const reasons = missing.map(({ reason }) => reason).join('; ');
  describe.skip(name, () => it(`needs services that cannot be had here: ${reasons}`, () => undefined));
}

function unavailable(): Unavailable[] {
  return JSON.parse(process.env.DMS_TEST_UNAVAILABLE ?? '[]') as Unavailable[];
}
