import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { type SupervisorLauncher, type Words } from './supervisor-launcher.interface';

/** There while systemd is the init of this machine, see sd_booted(3). */
const BOOTED_BY_SYSTEMD = '/run/systemd/system';
const SYSTEMD_RUN = '/usr/bin/systemd-run';

/** `auto`: a scope where systemd runs, else a session. */
export const FUSE_UNITS = ['auto', 'scope', 'session'] as const;
export type FuseUnits = (typeof FUSE_UNITS)[number];

/** A session of its own is all that is needed where nobody ends what a service has left behind. */
export class SessionLauncher implements SupervisorLauncher {
  wrap(_targetId: string, words: Words): Words {
    return words;
  }
}

/**
 * A transient scope of systemd for each FUSE daemon: it does not belong to the cgroup of dms-server's own unit, which
 * systemd may end with it. It has no default dependencies, so that a shutdown unmounts first: the daemon ends by itself
 * then, and has written what it was given.
 */
export class ScopeLauncher implements SupervisorLauncher {
  wrap(targetId: string, words: Words): Words {
    // Names of units hold few characters, and one that was used lately may not be free again.
    const target = createHash('sha256').update(targetId).digest('hex').slice(0, 16);
    const name = `dms-fuse-${target}-${randomUUID().slice(0, 8)}.scope`;
    return [
      SYSTEMD_RUN,
      '--scope',
      '--quiet',
      '--collect',
      `--unit=${name}`,
      `--description=FUSE daemon of backup target ${targetId}`,
      '--property=DefaultDependencies=no',
      '--',
      ...words,
    ];
  }
}

export function launcherFor(units: FuseUnits): SupervisorLauncher {
  const inScope = units === 'scope' || (units === 'auto' && systemdRuns());
  return inScope ? new ScopeLauncher() : new SessionLauncher();
}

function systemdRuns(): boolean {
  try {
    accessSync(SYSTEMD_RUN, constants.X_OK);
    return statSync(BOOTED_BY_SYSTEMD).isDirectory();
  } catch {
    return false; // in a container, say
  }
}
