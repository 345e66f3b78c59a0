/** Where the services' programs and their python3 are looked for. */
export const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * An environment with nothing in it but what a service needs.
 *
 * What a person has set for their own work (proxies, certificate bundles, PYTHONPATH, another python3 first in PATH,
 * RABBITMQ_*, AWS_*) would otherwise reach the services and make them behave differently on each machine.
 */
export function cleanEnvironment(additions: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: SYSTEM_PATH, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', HOME: '/nonexistent', ...additions };
}
