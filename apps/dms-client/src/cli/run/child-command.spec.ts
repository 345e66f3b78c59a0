import { runCommand } from './child-command';
import { SignalCatcher } from './signals';

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
    expect(end).toEqual({ status, problem: null });
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

describe('SignalCatcher', () => {
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
