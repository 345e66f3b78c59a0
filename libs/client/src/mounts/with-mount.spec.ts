import { type DmsClient } from '../dms-client';
import { errorOf, MountLostError, NotMountedError, UnmountedDirtyError } from '../errors';
import { type TargetRequest } from '../requests';
import { AcquiredMount, type AcquireOptions } from './acquired-mount';
import { SignalReceived } from './process-signals';
import { withMount, type WithMountOptions } from './with-mount';

const REQUEST: TargetRequest = {
  job: { jobid: 1 },
  host: 'h',
  backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/a' },
};

/** A service that grants everything but what a test takes away. */
class FakeService {
  readonly calls: [string, TargetRequest][] = [];
  mountPath = '/proc';
  device: string | null = null;
  mountError: Error | null = null;
  unmountError: Error | null = null;
  unmountCode: string | null = null;
  state = 'held';
  readonly #listening: (() => void)[] = [];

  mount(request: TargetRequest): Promise<unknown> {
    this.calls.push(['mount', request]);
    if (this.mountError !== null) return Promise.reject(this.mountError);
    return Promise.resolve({ mount_path: this.mountPath, device: this.device });
  }

  unmount(request: TargetRequest): Promise<unknown> {
    this.calls.push(['unmount', request]);
    if (this.unmountError !== null) return Promise.reject(this.unmountError);
    return Promise.resolve({ error_code: this.unmountCode, success_msg: 'words', operation_id: 'o' });
  }

  getMountStatus(): Promise<unknown> {
    return Promise.resolve({ state: this.state, mount_state: 'MOUNTED' });
  }

  /** Tells all who listen that the hold was lost. */
  lose(): void {
    this.state = 'lost';
    for (const tell of this.#listening) tell();
  }

  async *events(_: unknown, { signal }: { signal: AbortSignal }): AsyncGenerator<{ kind: string }> {
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#listening.push(resolve);
        signal.addEventListener('abort', () => resolve());
      });
      if (!signal.aborted) yield { kind: 'lost' };
    }
  }

  acquire(request: TargetRequest, options: AcquireOptions): Promise<AcquiredMount> {
    return AcquiredMount.acquire(this as unknown as DmsClient, request, options);
  }
}

describe('withMount', () => {
  let service: FakeService;

  beforeEach(() => (service = new FakeService()));

  function run<T>(use: Parameters<typeof withMount<T>>[2], options: WithMountOptions = {}): Promise<T> {
    return withMount(service as unknown as DmsClient, REQUEST, use, options);
  }

  const verbs = (): string[] => service.calls.map(([verb]) => verb);
  const failed = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => null,
      (error: unknown) => error,
    );

  it('gives what the callback returns, and ends the hold that it began', async () => {
    expect(await run(({ mountPath }) => `at ${mountPath}`)).toBe('at /proc');
    expect(verbs()).toEqual(['mount', 'unmount']);
    const [[, mount], [, unmount]] = service.calls;
    expect(mount.hold_id).toMatch(/^hold-/);
    expect(unmount.hold_id).toBe(mount.hold_id);
  });

  it('unmounts when the callback throws, and throws that', async () => {
    const error = new Error('mine');
    expect(await failed(run(() => Promise.reject(error)))).toBe(error);
    expect(verbs()).toEqual(['mount', 'unmount']);
  });

  it('throws both errors where the unmount fails, too', async () => {
    const mine = new Error('mine');
    service.unmountError = errorOf('LEDGER_UNAVAILABLE', 'away');
    const error = (await failed(run(() => Promise.reject(mine)))) as AggregateError;
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors).toEqual([mine, service.unmountError]);
    expect(error.cause).toBe(mine);
    service.unmountCode = 'UNMOUNTED_DIRTY';
    service.unmountError = null;
    expect(await failed(run(() => Promise.reject(mine)))).toMatchObject({ message: 'mine; and words' });
  });

  it.each(['CLIENT_UNREACHABLE', 'TIMEOUT', 'LEDGER_UNAVAILABLE'] as const)(
    'says that the work is done where only the unmount is open (%s)',
    async (code) => {
      service.unmountError = errorOf(code, 'gone', { operationId: 'o' });
      const error = (await failed(run(() => 1))) as Error;
      expect(error).toMatchObject({ code, operationId: 'o', cause: service.unmountError });
      expect(error.constructor).toBe(service.unmountError.constructor);
      expect(error.message).toBe('The work is done, and only the unmount is open: gone');
    },
  );

  it.each<[string, 'UNMOUNTED_DIRTY' | null, boolean, Partial<NodeJS.ErrnoException>?]>([
    ['ENOTCONN', 'UNMOUNTED_DIRTY', true],
    ['ENOTCONN', null, true],
    ['ESTALE', null, true],
    ['EIO', 'UNMOUNTED_DIRTY', true],
    ['EIO', null, false],
    ['ENOENT', null, false],
    ['ENOTCONN', null, false, { syscall: 'shutdown' }],
    ['ECONNABORTED', null, false, { syscall: undefined }],
    ['ESTALE', null, false, { path: '/other/file' }],
  ])(
    'tells a callback that fails with %s before the loss is noticed (unmount: %s) from others: %s',
    async (code, unmountCode, isLoss, facts = {}) => {
      service.unmountCode = unmountCode;
      const met = Object.assign(new Error('write'), { code, syscall: 'write', ...facts });
      const mine = new Error('mine', { cause: met });
      for (const thrown of [met, mine]) {
        const error = await failed(run(() => Promise.reject(thrown)));
        if (!isLoss) expect(error).toBe(thrown);
        else {
          expect(error).toBeInstanceOf(MountLostError);
          expect(error).toMatchObject({
            operationId: 'o',
            cause: thrown,
            message: `The mount at /proc was lost (${code}): words`,
          });
        }
      }
    },
  );

  it('fails where what was written last may be lost', async () => {
    service.unmountCode = 'UNMOUNTED_DIRTY';
    expect(await failed(run(() => 1))).toBeInstanceOf(UnmountedDirtyError);
    service.unmountCode = 'BUSY';
    const onReleased = jest.fn();
    expect(await run(() => 1, { onReleased })).toBe(1);
    expect(onReleased).toHaveBeenCalledWith(expect.objectContaining({ error_code: 'BUSY' }));
  });

  it('aborts when the mount is lost, and says so whatever the callback does', async () => {
    const untilAborted = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    const mine = new Error('mine');
    const error = await failed(
      run(async ({ signal }) => {
        setTimeout(() => service.lose(), 10);
        await untilAborted(signal);
        throw mine;
      }),
    );
    expect(error).toBeInstanceOf(MountLostError);
    expect((error as Error).cause).toBe(mine);
    expect(error).toMatchObject({ operationId: 'o' });
    service = new FakeService();
    const quiet = run(async ({ signal }) => {
      setTimeout(() => service.lose(), 10);
      await untilAborted(signal);
    });
    expect(await failed(quiet)).toBeInstanceOf(MountLostError);
    expect(verbs()).toEqual(['mount', 'unmount']);
  });

  it('does not begin where the target is not what is mounted there', async () => {
    service.device = '999:999';
    const use = jest.fn();
    expect(await failed(run(use))).toBeInstanceOf(NotMountedError);
    service.device = null;
    service.mountPath = '/proc/self';
    expect(await failed(run(use))).toBeInstanceOf(NotMountedError);
    expect(use).not.toHaveBeenCalled();
    expect(verbs()).toEqual(['mount', 'unmount', 'mount', 'unmount']);
    await run(use, { verify: false });
    await run(use, { path: '/proc' });
    expect(use).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['TIMEOUT', ['mount', 'unmount']],
    ['INTERNAL', ['mount', 'unmount']],
    ['MOUNT_FAILED', ['mount']],
  ] as const)('gives back what a mount that ended with %s may hold', async (code, calls) => {
    service.mountError = errorOf(code, 'words');
    expect(await failed(run(() => 1))).toBe(service.mountError);
    expect(verbs()).toEqual(calls);
  });

  it('does not ask for anything where it was given up already', async () => {
    const reason = new Error('enough');
    expect(await failed(run(() => 1, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(verbs()).toEqual([]);
  });

  it('keeps a signal of the process until the unmount, and does not wait for ever after a second one', async () => {
    const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
    try {
      const deaf = run(
        ({ signal }) => {
          process.emit('SIGTERM', 'SIGTERM');
          expect(signal.reason).toBeInstanceOf(SignalReceived);
          process.emit('SIGTERM', 'SIGTERM');
          return new Promise(() => undefined);
        },
        { processSignals: true },
      );
      expect(await failed(deaf)).toMatchObject({ name: 'SignalReceived', processSignal: 'SIGTERM' });
      expect(verbs()).toEqual(['mount', 'unmount']);
      expect(kill.mock.calls).toEqual([[process.pid, 'SIGTERM']]);
      expect(process.listenerCount('SIGTERM')).toBe(0);
    } finally {
      kill.mockRestore();
    }
  });
});
