import { setTimeout as sleep } from 'node:timers/promises';
import { MountstatsReplies, receivedIn } from './nfs-replies.adapter';

const WITHIN_MS = 400;
/** As /proc/self/mountstats of Linux 6.1 shows it, with the counts of two kinds of calls. */
const text = (path: string, reads: number, listings: number): string =>
  [
    'device rootfs mounted on / with fstype rootfs',
    `device server:/export mounted on ${path} with fstype nfs4 statvers=1.1`,
    '\topts:\trw,vers=4.2,rsize=1048576',
    '\tage:\t12',
    '\tbytes:\t1 2 3 4 5 6 7 8 ',
    '\txprt:\ttcp 0 0 2 0 0 20 20 0 20 0 2 0 0',
    '\tper-op statistics',
    '\t        NULL: 1 1 0 44 24 0 0 0 0',
    `\t        READ: 4 4 0 880 ${reads} 0 1 1 0`,
    `\t     READDIR: 1 1 0 220 ${listings} 0 1 1 0`,
    'device server:/other mounted on /base/u with fstype nfs4 statvers=1.1',
    '\t        READ: 4 4 0 880 7000 0 1 1 0',
    '',
  ].join('\n');

describe('receivedIn', () => {
  it('adds up what came for all calls of one mount', () => {
    expect(receivedIn(text('/base/t', 1000, 200), '/base/t')).toBe(1224);
    expect(receivedIn(text('/base/a\\040b', 10, 0), '/base/a b')).toBe(34);
  });

  it('tells nothing of what is no NFS mount', () => {
    expect(receivedIn(text('/base/t', 1, 1), '/')).toBeNull();
    expect(receivedIn(text('/base/t', 1, 1), '/base')).toBeNull();
    expect(receivedIn('', '/base/t')).toBeNull();
  });
});

describe('MountstatsReplies', () => {
  /** Counts what a test says. */
  class Counted extends MountstatsReplies {
    received = 0;
    fails = false;

    protected override read(): Promise<string> {
      return this.fails
        ? Promise.reject(new Error('EACCES'))
        : Promise.resolve(text('/base/t', this.received, 0));
    }
  }

  /** Asks a question that ends at its deadline; replies come at these times. */
  async function isAnswering(...repliesAt: number[]): Promise<boolean> {
    const replies = new Counted();
    const timers = repliesAt.map((ms) => setTimeout(() => (replies.received += 100), ms));
    const asked = await replies.during('/base/t', WITHIN_MS, () => sleep(WITHIN_MS, 'over'));
    expect(asked.result).toBe('over');
    for (const timer of timers) clearTimeout(timer);
    return await asked.isAnswering();
  }

  it('takes a server for answering whose replies come until the time is over', async () => {
    expect(await isAnswering(10, 300)).toBe(true);
  });

  it('takes no server for answering whose last reply came in the first quarter of the time', async () => {
    expect(await isAnswering(5, 15, 30)).toBe(false);
  });

  it('takes no server for answering where the counts cannot be read, or the question ended early', async () => {
    const replies = new Counted();
    replies.fails = true;
    const late = await replies.during('/base/t', WITHIN_MS, () => sleep(WITHIN_MS));
    expect(await late.isAnswering()).toBe(false);
    replies.fails = false;
    const early = await replies.during('/base/t', WITHIN_MS, () => Promise.resolve());
    replies.received = 100;
    expect(await early.isAnswering()).toBe(false);
  });
});
