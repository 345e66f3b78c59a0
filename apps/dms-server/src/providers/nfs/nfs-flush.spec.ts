import { type ChildCommand, type ChildOutcome } from '../../processes/child-runner.interface';
import { deadlineIn } from '../deadlines';
import { NfsFlush } from './nfs-flush';

const PATH = '/base/t';
const exited = (code: number, output = ''): ChildOutcome => ({ kind: 'exited', code, signal: null, output });
const DENIED = exited(1, `sync: error opening '${PATH}': Permission denied\n`);

describe('the flush of an NFS mount', () => {
  let commands: ChildCommand[];

  beforeEach(() => {
    commands = [];
  });

  /** A flush whose children end so, one after the other. */
  function flushWith(...outcomes: ChildOutcome[]): ReturnType<NfsFlush['flush']> {
    const children = {
      run: (command: ChildCommand) => {
        commands.push(command);
        return Promise.resolve(outcomes[commands.length - 1]);
      },
      childrenLeft: () => Promise.resolve(0),
      endLeftOver: () => Promise.resolve(),
    };
    return new NfsFlush(children).flush('t', PATH, deadlineIn(5_000, 'DMS_UNMOUNT_TIMEOUT (60 s)'));
  }

  it('is done by root where the server lets root open the mount', async () => {
    expect(await flushWith(exited(0))).toEqual({ kind: 'done', detail: null });
    expect(commands.map(({ program }) => program)).toEqual(['sync']);
  });

  it('is done as the owner of the directory where the server does not let root open it', async () => {
    expect(await flushWith(DENIED, exited(0))).toEqual({ kind: 'done', detail: null });
    expect(commands.map(({ program }) => program)).toEqual(['sync', '/bin/sh']);
    expect(commands[1].args.at(-1)).toBe(PATH);
  });

  it.each([
    ['its owner may not open it either', "sync: error opening '/base/t': Permission denied"],
    ['dms-server may not change its user', 'setpriv: setresuid failed: Operation not permitted'],
    ['its owner cannot be found out', "stat: cannot statx '/base/t': Input/output error"],
  ])('claims no loss, and says what it could not check, where %s', async (_, words) => {
    expect(await flushWith(DENIED, exited(1, `${words}\n`))).toEqual({
      kind: 'unknown',
      detail: `it could not be checked whether the NFS server has all data (${words})`,
    });
  });

  it('has failed where the server refused data, whoever asked', async () => {
    const words = "sync: error syncing '/base/t': No space left on device";
    const failed = { kind: 'failed', detail: words };
    expect(await flushWith(exited(1, `${words}\n`))).toEqual(failed);
    commands = [];
    expect(await flushWith(DENIED, exited(1, `${words}\n`))).toEqual(failed);
  });

  it.each([
    [
      'holds "error opening"',
      '/base/error opening x',
      "error syncing '/base/error opening x': No space left on device",
    ],
    [
      'holds all of the words',
      "/b/sync: error opening 'x': Permission denied",
      "error syncing '/b/…': Input/output error",
    ],
  ])('has failed where the server refused data, also if the path %s', async (_, _path, words) => {
    expect(await flushWith(exited(1, `sync: ${words}\n`))).toMatchObject({ kind: 'failed' });
  });

  it.each<[string, ChildOutcome]>([
    ['by a signal', { ...exited(0), code: null, signal: 'SIGKILL' } as ChildOutcome],
    ['by a signal of the owner', exited(137)],
  ])('claims no loss where it was ended %s', async (_, outcome) => {
    expect(await flushWith(DENIED, outcome)).toMatchObject({ kind: 'unknown' });
  });

  it('hangs where the server does not take all data in half of the time, and names the setting', async () => {
    expect(await flushWith({ kind: 'deadline', gone: true, output: '' })).toEqual({
      kind: 'hangs',
      detail:
        'the server has not taken all data within half of DMS_UNMOUNT_TIMEOUT (60 s), and data may not be written yet',
    });
    expect(commands[0].deadlineMs).toBeLessThanOrEqual(2_500);
  });
});
