import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { runProgram } from './program';

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `dms` in this process, far from any service. */
async function dms(...args: string[]): Promise<Ended> {
  let out = '';
  let err = '';
  const stdout = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderr = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    const status = await runProgram(['node', 'dms', ...args]);
    return { status, out, err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

describe('dms', () => {
  const environment = { ...process.env };

  beforeEach(() => {
    process.env = { ...environment, DMS_CONFIG_FILE: '/dev/null', DMS_API_URL: 'http://127.0.0.1:9' };
  });
  afterAll(() => {
    process.env = environment;
  });

  it.each([[['--help']], [['help']], [['help', 'mount']], [['mount', '--help']]])(
    'shows help where %j asks for it',
    async (args) => {
      const { status, out } = await dms(...args);
      expect({ status, out }).toEqual({ status: 0, out: expect.stringContaining('Usage: dms') as unknown });
    },
  );

  it('shows on standard error what it can do where it is told nothing, and that is wrong use', async () => {
    const { status, out, err } = await dms();
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain('list-mounts');
  });

  it.each<[string[], string]>([
    [['list-mounts', 'extra'], 'too many arguments'],
    [['nodes', 'a', 'b'], 'too many arguments'],
    [['nodes', 'a', '--drain', '--undrain'], '--undrain'],
    [['nodes', 'a', '--forget', '--fenced', '--accept-key', 'none'], '--accept-key'],
    [['nodes', '--drain'], 'the name of a node'],
    [['nodes', 'a', '--forget'], '--fenced'],
    [['--format', 'yaml', 'nodes'], '--format'],
    [['--progress', 'no', 'nodes'], '--progress'],
    [['no-such-command'], 'unknown command'],
    [['mount', '--no-such-option'], 'unknown option'],
    [['run', '--lease', '5', '--', 'true'], '--lease'],
    [['run', '--lease', '604801', '--', 'true'], '--lease'],
  ])('takes %j for wrong use and says why in one line', async (args, why) => {
    const { status, out, err } = await dms(...args);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^dms: VALIDATION_FAILED: .*\n$/);
    expect(err).toContain(why);
  });

  it.each([['mount'], ['unmount']])(
    'names all options of %s that are wrong, or missing, at once',
    async (command) => {
      const { status, err } = await dms(command, '--job-id', 'abc', '--target-type', 's5', '--host', 'a/b');
      expect(status).toBe(2);
      expect(err).toMatch(/^dms: VALIDATION_FAILED: .*\n$/);
      for (const option of ['job-id', 'target-type', 'target-id', 'host'])
        expect(err).toContain(`--${option}: `);
      expect(err).toContain('--job-id: must be an integer from 1');
    },
  );

  it('tells that nobody can be asked, to be tried again later', async () => {
    const { status, err } = await dms('nodes');
    expect(status).toBe(75);
    expect(err).toMatch(/^dms: CLIENT_UNREACHABLE: /);
  });

  it('prints a table, or JSON wherever --format stands', async () => {
    const server = createServer((_, response) => response.end('{"nodes":[]}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    process.env.DMS_API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const args of [
        ['nodes', '--format', 'json'],
        ['--format', 'json', 'nodes'],
      ]) {
        expect(await dms(...args)).toEqual({ status: 0, out: '{"nodes":[]}\n', err: '' });
      }
      expect((await dms('nodes')).out).toBe('No nodes are known.\n');
    } finally {
      server.close();
    }
  });
});
