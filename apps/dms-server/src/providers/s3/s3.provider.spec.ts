import { DmsError } from '@app/contracts';
import { deadlineIn } from '../deadlines';
import { S3Provider } from './s3.provider';

type Parameters = ConstructorParameters<typeof S3Provider>;

describe('S3Provider', () => {
  it('has somebody wait for the secret before it can be refused: Node.js ends a process otherwise', async () => {
    const refusal = new DmsError('VALIDATION_FAILED', 'secret_ref: is not a secret of the key manager');
    let isAwaited = false;
    let wasAwaitedAtOnce: boolean | null = null;
    const readSecret = (): Promise<never> => {
      process.nextTick(() => (wasAwaitedAtOnce = isAwaited));
      return Promise.reject(refusal);
    };
    const start = (_plan: unknown, ready: Promise<unknown>): Promise<unknown> => {
      isAwaited = true;
      return ready;
    };
    const [keyManager, daemon] = [{ readSecret }, { start }] as unknown as [Parameters[0], Parameters[1]];
    const settings = { s3VaultFuseBinary: '/nowhere/s3vaultfuse' } as unknown as Parameters[5];
    const none = {} as never;
    const provider = new S3Provider(keyManager, daemon, none, none, none, settings);
    const plan = { targetId: 't', source: 'x', request: { keystone_token: 'token' } } as never;
    const mounting = provider.mount(plan, () => Promise.resolve(), deadlineIn(1_000));
    await expect(mounting).rejects.toBe(refusal);
    await new Promise((resolve) => setImmediate(resolve));
    expect(wasAwaitedAtOnce).toBe(true);
  });
});
