import { existsSync } from 'node:fs';
import { launcherFor, ScopeLauncher, SessionLauncher } from './supervisor-launcher.adapter';

describe('the launcher of FUSE supervisors', () => {
  it('is a scope of its own where systemd runs or where it is asked for', () => {
    const booted = existsSync('/run/systemd/system') && existsSync('/usr/bin/systemd-run');
    expect(launcherFor('auto')).toBeInstanceOf(booted ? ScopeLauncher : SessionLauncher);
    expect(launcherFor('scope')).toBeInstanceOf(ScopeLauncher);
    expect(launcherFor('session')).toBeInstanceOf(SessionLauncher);
  });

  it('starts in a session what it is given', () => {
    expect(new SessionLauncher().wrap('t1', ['/bin/sh', 'script', 'a b'])).toEqual([
      '/bin/sh',
      'script',
      'a b',
    ]);
  });

  it('names a scope for a target of any name, another one each time, and passes the words on after all options', () => {
    const launcher = new ScopeLauncher();
    const words = launcher.wrap('-x @/:% é', ['/bin/sh', '--unit=evil', 'a b']);
    expect(words.slice(-4)).toEqual(['--', '/bin/sh', '--unit=evil', 'a b']);
    const unit = words.find((word) => word.startsWith('--unit='));
    expect(unit).toMatch(/^--unit=dms-fuse-[0-9a-f]{16}-[0-9a-f]{8}\.scope$/);
    expect(launcher.wrap('-x @/:% é', ['/bin/sh'])).not.toContain(unit);
    expect(words).toEqual(
      expect.arrayContaining(['--scope', '--collect', '--property=DefaultDependencies=no']),
    );
  });
});
