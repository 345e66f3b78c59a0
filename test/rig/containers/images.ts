import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../support/command';
import { addNode, makeDebianRoot } from './debian-root';
import { type ContainerHost } from './container-host';
import { writeNpmSettings } from './npm-settings';

const BUILD_MS = 420_000;
const AUTHORITIES = '/etc/ssl/certs';
const BASE = 'localhost/dms-base:latest';

/** Makes the image that stands in for the public one of Node.js, which a machine without a registry cannot fetch. */
export async function makeBaseImage(host: ContainerHost): Promise<void> {
  const root = join(host.directory, '../base');
  await makeDebianRoot(root);
  await addNode(root);
  const archive = `${root}.tar`;
  await runCommand('tar', ['-C', root, '-cf', archive, '.'], { timeoutMs: 60_000 });
  await host.podman(['import', archive, BASE], 120_000);
  await rm(root, { recursive: true });
  await rm(archive);
}

/** Builds one of the project's images from a checkout, by its own Dockerfile. */
export async function buildImage(host: ContainerHost, checkout: string, target: string): Promise<void> {
  // npm in the build is set up as npm here is, by a secret that gets into no layer.
  const npmrc = join(host.directory, '../npmrc');
  await writeNpmSettings(npmrc);
  await host.podman(
    [
      ...['build', '--format', 'docker', '--isolation', 'chroot', '--network', 'host'],
      ...['--build-arg', `NODE_IMAGE=${BASE}`, '--secret', `id=npmrc,src=${npmrc}`],
      ...[
        '--volume',
        `${AUTHORITIES}:${AUTHORITIES}:ro`,
        '--volume',
        `${join(homedir(), '.npm')}:/root/.npm`,
      ],
      ...[
        '--file',
        join(checkout, 'docker/Dockerfile'),
        '--target',
        target,
        '--tag',
        `localhost/${target}`,
        checkout,
      ],
    ],
    BUILD_MS,
  );
}
