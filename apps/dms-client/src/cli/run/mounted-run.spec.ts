import { DmsError, type TargetRequestDto } from '@app/contracts';
import { type ApiConnection } from '../api/api-connection';
import { type RunOptions } from '../commands/run.command';
import { Output } from '../output';
import { MountedRun } from './mounted-run';

const mockPrinted: string[] = [];
jest.mock('../standard-error', () => ({
  printError: (text: string) => mockPrinted.push(text),
  writeAll: (descriptor: number, text: string) => mockPrinted.push(`${descriptor} ${text}`),
}));

const OPTIONS: RunOptions = {
  format: 'table',
  jobId: 1,
  targetId: 't',
  targetType: 'nfs',
  host: 'h',
  nfsExport: 'server:/a',
};

/** What the service answers to the mount and, one after the other, to the unmounts; an error is thrown. */
interface Answers {
  readonly mount?: DmsError;
  readonly unmounts?: readonly (DmsError | { error_code: string | null })[];
  /** What it says of the binding, one after the other. */
  readonly states?: readonly string[];
}

describe('dms run', () => {
  const printed = mockPrinted;
  let calls: TargetRequestDto[];

  beforeEach(() => {
    printed.length = 0;
    calls = [];
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  });
  afterEach(() => jest.restoreAllMocks());

  async function run(
    command: string,
    { mount, unmounts = [], states = [] }: Answers = {},
    options: Partial<RunOptions> = { quiet: true },
  ): Promise<number> {
    const left = [...unmounts];
    let asked = 0;
    const settle = (request: TargetRequestDto, answer: unknown): Promise<unknown> => {
      calls.push(request);
      return answer instanceof DmsError ? Promise.reject(answer) : Promise.resolve(answer);
    };
    const api = {
      mount: (request: TargetRequestDto) => settle(request, mount ?? { mount_path: '/base/t' }),
      unmount: (request: TargetRequestDto) =>
        settle(request, left.shift() ?? { error_code: null, success_msg: 'ok' }),
      status: () => Promise.resolve({ state: states[asked++] ?? 'held', mount_state: 'MOUNTED' }),
    };
    const connection = { open: () => Promise.resolve(api) };
    const mounted = await MountedRun.of({ ...OPTIONS, ...options }, new Output());
    return mounted.execute(['/bin/sh', '-c', command], connection as unknown as ApiConnection);
  }

  function actions(): unknown[] {
    return calls.map(({ action }) => action);
  }

  it('mounts, runs, unmounts, and ends with the status of the command', async () => {
    expect(await run('test "$DMS_MOUNT_PATH" = /base/t && exit 3')).toBe(3);
    expect(actions()).toEqual(['mount', 'unmount']);
    expect(printed).toEqual([]);
  });

  it('tells its steps in lines where there is no terminal', async () => {
    await run('exit 3', {}, {});
    expect(printed).toEqual(['dms: mounted t on h at /base/t\n', 'dms: released t on h\n']);
  });

  it.each<Partial<RunOptions>>([{ json: true }, { format: 'json' }])(
    'tells programs its steps: %j',
    async (told) => {
      await run('kill -TERM $$', {}, told);
      const events = printed.map((text) => JSON.parse(text.replace(/^2 /, '')) as Record<string, unknown>);
      expect(events.map(({ event }) => event)).toEqual(
        ['mounting', 'mounted', 'started', 'ended', 'unmounting', 'unmounted'], // prettier-ignore
      );
      expect(events[1]).toMatchObject({ backup_target_id: 't', host: 'h', jobid: 1, mount_path: '/base/t' });
      expect(events[3]).toMatchObject({ status: 143, signal: 'SIGTERM' });
    },
  );

  it('is 125 where the mount was lost and the command did not notice', async () => {
    expect(await run('exit 0', { states: ['lost'] })).toBe(125);
    expect(printed.join('')).toMatch(/warning: the mount was lost\n[^]*what it wrote may be lost/);
    expect(await run('exit 4', { states: ['lost'] })).toBe(4);
  });

  it('refuses a descriptor that is not open', async () => {
    await expect(run('true', {}, { jsonTo: '999' })).rejects.toThrow(/^--json-to: .*EBADF/);
    expect(calls).toEqual([]);
  });

  it('ends its own hold only', async () => {
    await run('true');
    await run('true');
    const holds = calls.map(({ hold_id }) => hold_id);
    expect(holds[0]).toBe(holds[1]);
    expect(holds[2]).toBe(holds[3]);
    expect(holds[0]).not.toBe(holds[2]);
  });

  it('unmounts when the command cannot be run', async () => {
    const mounted = await MountedRun.of(OPTIONS, new Output());
    const api = {
      mount: () => Promise.resolve({ mount_path: '/base/t' }),
      unmount: (request: TargetRequestDto) => {
        calls.push(request);
        return Promise.resolve({ error_code: null });
      },
    };
    const connection = { open: () => Promise.resolve(api) } as unknown as ApiConnection;
    expect(await mounted.execute(['/nonexistent'], connection)).toBe(127);
    expect(actions()).toEqual(['unmount']);
  });

  it('is 125 where the mount was not granted, and holds nothing', async () => {
    expect(await run('true', { mount: new DmsError('MOUNT_FAILED', 'no') })).toBe(125);
    expect(actions()).toEqual(['mount']);
    expect(printed.join('')).toBe('dms: MOUNT_FAILED: no\n');
  });

  it('gives back what a mount of unknown outcome may come to hold', async () => {
    expect(await run('true', { mount: new DmsError('TIMEOUT', 'unknown') })).toBe(125);
    expect(actions()).toEqual(['mount', 'unmount']);
  });

  it('warns where the unmount is still under way', async () => {
    expect(await run('exit 4', { unmounts: [{ error_code: 'BUSY' }] })).toBe(4);
    expect(printed.join('')).toContain('dms: warning: BUSY');
  });

  it('is 125 where data may be lost', async () => {
    expect(await run('true', { unmounts: [{ error_code: 'UNMOUNTED_DIRTY' }] })).toBe(125);
  });

  it('tries the unmount again, and is 125 where it is not known', async () => {
    const away = new DmsError('LEDGER_UNAVAILABLE', 'away');
    expect(await run('exit 4', { unmounts: [away] })).toBe(4);
    expect(actions()).toEqual(['mount', 'unmount', 'unmount']);
    expect(await run('exit 4', { unmounts: [new DmsError('INTERNAL', 'defect')] })).toBe(125);
  });
});
