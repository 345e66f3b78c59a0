import { closeSync, openSync } from 'node:fs';
import { runCommand } from './child-command';
import { SignalCatcher } from './signals';
import { foregroundIn } from './terminal';

describe('a command on a mount', () => {
  let signals: SignalCatcher;

  beforeEach(() => (signals = new SignalCatcher()));
  afterEach(() => signals.stop());

  it.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -9 $$', 137],
    ['test "$DMS_MOUNT_PATH" = /base/t', 0],
  ])('ends with its own status: %s', async (script, status) => {
    const end = await runCommand(['/bin/sh', '-c', script], { DMS_MOUNT_PATH: '/base/t' }, signals);
    expect(end).toMatchObject({ status, problem: null });
  });

  it('gets the descriptors that its arguments name', async () => {
    const descriptor = openSync(__filename, 'r');
    try {
      const script = `read -r line </dev/fd/${descriptor} && test -n "$line" && ! test -e /dev/fd/999`;
      expect(await runCommand(['/bin/sh', '-c', script], {}, signals)).toMatchObject({ status: 0 });
    } finally {
      closeSync(descriptor);
    }
  });

  it('may not be there, or not be a program', async () => {
    expect(await runCommand(['/nonexistent'], {}, signals)).toMatchObject({ status: 127 });
    expect(await runCommand(['/etc/passwd'], {}, signals)).toMatchObject({ status: 126 });
  });

  it('gets the signals that we get', async () => {
    const script = 'trap "exit 9" TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; done';
    const running = runCommand(['/bin/sh', '-c', script], {}, signals);
    // The shell may not have set its trap at the first.
    const timer = setInterval(() => process.emit('SIGTERM', 'SIGTERM'), 500);
    expect([9, 143]).toContain((await running).status);
    clearInterval(timer);
    expect(signals.missed).toBeNull();
  });
});

describe('a foreground', () => {
  it('is where the process group is that of the terminal', () => {
    expect(foregroundIn('12 (a b) c) S 1 12 12 34816 12 4194304')).toBe(true);
    expect(foregroundIn('12 (sh) S 1 12 12 34816 99 4194304')).toBe(false);
    expect(foregroundIn('12 (sh) S 1 12 12 0 -1 4194304')).toBe(false);
  });
});

describe('SignalCatcher', () => {
  it('does not take a signal that means what a program makes of it for an end', () => {
    const signals = new SignalCatcher();
    const heard: string[] = [];
    try {
      process.emit('SIGUSR1', 'SIGUSR1');
      signals.listen((signal) => heard.push(signal));
      process.emit('SIGUSR2', 'SIGUSR2');
      process.emit('SIGUSR2', 'SIGUSR2');
      expect([signals.missed, signals.aborted.aborted, heard]).toEqual([null, false, ['SIGUSR2', 'SIGUSR2']]);
    } finally {
      signals.stop();
    }
  });

  it('remembers the first signal that nobody listened to', () => {
    const signals = new SignalCatcher();
    try {
      process.emit('SIGHUP', 'SIGHUP');
      process.emit('SIGTERM', 'SIGTERM');
      expect(signals.aborted.aborted).toBe(true);
      expect(signals.missed).toBe('SIGHUP');
    } finally {
      signals.stop();
    }
  });
});
