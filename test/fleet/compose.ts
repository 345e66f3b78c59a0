import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './programs';

/** What docker/compose.yaml says of how a service is run. */
export interface ComposeService {
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt: readonly string[];
  readonly devices?: readonly string[];
  /** `source:target`, and the propagation where it matters. */
  readonly volumes?: readonly string[];
  readonly command?: readonly string[];
}

export function composeService(name: string): ComposeService {
  const text = readFileSync(join(ROOT, 'docker/compose.yaml'), 'utf8');
  return (parse(text, { merge: true }) as { services: Record<string, ComposeService> }).services[name];
}

/**
 * The options of `docker run` that say the same as a service of docker/compose.yaml, as far as it concerns rights,
 * mounts and secrets. The network is the host's, addresses are those of the test, and the process numbers the container's
 * own: an engine that makes no cgroups allows no others.
 *
 * @param places what lies elsewhere in the test: by the name of a secret, or by the source of a bind mount
 * @param environment settings over those of the service
 */
export function runOptions(
  service: ComposeService,
  places: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
): string[] {
  const place = (name: string): string => {
    const found = places[name];
    if (found === undefined) throw new Error(`The test has no place for ${name}`);
    return found;
  };
  return [
    ...Object.entries({ ...service.environment, ...environment }).flatMap(([name, value]) => {
      // What compose would take from its own environment has to come from the test.
      if (value.includes('${')) throw new Error(`The test says nothing of ${name}`);
      return ['--env', `${name}=${value}`];
    }),
    ...(service.read_only === true ? ['--read-only'] : []),
    ...(service.tmpfs ?? []).flatMap((path) => ['--tmpfs', path]),
    ...service.cap_drop.flatMap((name) => ['--cap-drop', name]),
    ...(service.cap_add ?? []).flatMap((name) => ['--cap-add', name]),
    ...service.security_opt.flatMap((option) => ['--security-opt', option]),
    ...(service.devices ?? []).flatMap((device) => ['--device', device]),
    ...service.secrets.flatMap((name) => ['--volume', `${place(name)}:/run/secrets/${name}:ro`]),
    ...(service.volumes ?? []).flatMap((volume) => {
      const [source, , ...options] = volume.split(':');
      return ['--volume', [place(source), place(source), ...options].join(':')];
    }),
  ];
}
