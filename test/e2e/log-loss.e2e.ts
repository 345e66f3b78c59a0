import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ClientProcess } from '../fleet/client-process';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { type NodeProcess } from '../fleet/node-process';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const SOON_MS = 30_000;
/** Promised: the end of a program waits one second for the reader of its log; asserted generously. */
const ENDED_MS = 15_000;

interface Readiness {
  readonly status: number;
  readonly log: { readonly status: string; readonly lost_lines: number; readonly warning?: string };
}

describeOnRig('a log that cannot be written', () => {
  let rig: Rig;
  let fleet: Fleet;

  beforeAll(async () => {
    rig = await Rig.start();
    fleet = await Fleet.start(rig.addresses);
  }, 120_000);

  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
  });

  const readiness = async (url: string): Promise<Readiness> => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const { details } = (await answer.json()) as { details: { log: Readiness['log'] } };
    return { status: answer.status, log: details.log };
  };
  const urls = (node: NodeProcess, client: ClientProcess): string[] => [
    `${node.healthUrl}/ready`,
    `${client.url}/health/ready`,
  ];

  const mountsAndUnmounts = async (node: NodeProcess, client: ClientProcess): Promise<void> => {
    const target = await fleet.targets.s3(`log-${node.host}`);
    const request = await fleet.targets.request(node.host, 1, target);
    expect((await client.api.post('/api/v1/mount', request)).body).toMatchObject({ status: 'success' });
    expect(mountsBelow(node.base).length).toBe(1);
    expect((await client.api.post('/api/v1/unmount', request)).body).toMatchObject({ unmounted: true });
  };

  it('because its disk is full costs lines alone: programs start, mount and stop, and readiness counts what was lost.', async () => {
    const node = fleet.addNode({}, 'compute-full');
    const client = fleet.addClient({});
    for (const { logFile } of [node, client]) {
      await mkdir(dirname(logFile), { recursive: true });
      await symlink('/dev/full', logFile);
    }
    await node.start();
    await client.start();
    await mountsAndUnmounts(node, client);
    for (const url of urls(node, client)) {
      const { status, log } = await readiness(url);
      expect({ status, log }).toMatchObject({
        status: 200,
        log: { warning: expect.stringContaining('ENOSPC') as unknown },
      });
      expect(log.lost_lines).toBeGreaterThan(0);
    }
    const metrics = await (await fetch(`${client.url}/metrics`)).text();
    expect(Number(/^dms_log_lines_lost_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
    node.signal('SIGTERM');
    expect(await node.ended(ENDED_MS)).toContain('status 0');
    await client.stop();
  }, 120_000);

  it('because nobody reads its pipe holds up nothing, and loses nothing that fits into memory.', async () => {
    const node = fleet.addNode({}, 'compute-pipe');
    const client = fleet.addClient({});
    const pipes: FileHandle[] = [];
    try {
      for (const { logFile } of [node, client]) {
        await mkdir(dirname(logFile), { recursive: true });
        execFileSync('mkfifo', [logFile]);
        const pipe = await open(logFile, constants.O_RDWR | constants.O_NONBLOCK);
        pipes.push(pipe);
        await filled(pipe);
      }
      await node.start();
      await client.start();
      await mountsAndUnmounts(node, client);
      for (const url of urls(node, client))
        expect(await readiness(url)).toMatchObject({ status: 200, log: { status: 'up', lost_lines: 0 } });
      const heard = await Promise.all(pipes.map((pipe) => readUntil(pipe, 'is ready')));
      expect(heard).toEqual([true, true]);
      await filled(pipes[0]);
      node.signal('SIGTERM');
      expect(await node.ended(ENDED_MS)).toContain('status 0');
      await client.stop();
    } finally {
      for (const pipe of pipes) await pipe.close();
    }
  }, 120_000);
});

/** Writes into the pipe until it takes no more. */
async function filled(pipe: FileHandle): Promise<void> {
  try {
    for (;;) await pipe.write(Buffer.alloc(4096, '\n'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}

/** Reads the pipe until `text` came. */
async function readUntil(pipe: FileHandle, text: string): Promise<boolean> {
  let heard = '';
  const buffer = Buffer.alloc(65_536);
  return await waitFor(
    async () => {
      try {
        const { bytesRead } = await pipe.read(buffer);
        heard += buffer.toString('utf8', 0, bytesRead);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      }
      return heard.includes(text);
    },
    { timeoutMs: SOON_MS, what: `the log to say "${text}"` },
  );
}
