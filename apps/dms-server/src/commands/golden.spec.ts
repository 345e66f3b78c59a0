import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asHello, parseReply } from '@app/contracts';
import { programVersion } from '@app/platform';
import { FileFenceMemory } from '../fence/fence-memory.repository';
import { Announcements } from '../hello/announcements.service';
import { HelloService } from '../hello/hello.service';
import { BOOT, TestNode } from '../testing/test-node';
import { decodeMessage } from './command.decoder';
import { refusal } from './command-result';
import { encodeReply } from './reply.encoder';

const GOLDEN = join(__dirname, '../../../../libs/contracts/golden');
const ANSWERER = { node: 'compute-01', incarnation: '0b54ae6b-91b5-4c3c-a3f1-24f4a8a0c9d5' };

/** A golden body, in one line as it goes over the wire. */
function golden(name: string): string {
  return JSON.stringify(JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), 'utf8')));
}

/** The wire as docs/WIRE.md and the files in libs/contracts/golden have it; dms-client is held to the same files. */
describe('golden messages', () => {
  let node: TestNode;

  beforeEach(() => {
    const env = { DMS_NODE_ID: ANSWERER.node, DMS_MOUNT_BASE: '/var/lib/trilio/triliovault-mounts' };
    node = new TestNode(env, ANSWERER.incarnation);
  });

  afterEach(() => {
    node.remove();
  });

  /** What the server answers to a body, byte for byte. */
  const answer = async (text: string): Promise<string> => {
    const decoded = decodeMessage(Buffer.from(text), ANSWERER.node);
    const result =
      decoded.kind === 'refused'
        ? refusal(decoded.error)
        : await node.send(JSON.parse(text) as Record<string, unknown>);
    return encodeReply(result, decoded.extended, ANSWERER).toString();
  };

  it('are understood, and answered to the letter, one after the other', async () => {
    for (const name of ['mount', 'probe', 'fence', 'inventory', 'unmount', 'stale']) {
      const reply = await answer(golden(`${name}-command`));
      expect(reply).toBe(golden(`${name}-reply`));
      expect(parseReply(JSON.parse(reply))).toMatchObject({ kind: 'node', reply: { node: ANSWERER.node } });
    }
  });

  it('show a Python program its three keys and nothing else', async () => {
    expect(await answer(golden('legacy-mount-command'))).toBe(golden('legacy-reply'));
    expect(await answer('{"action":"reboot"}')).toBe(golden('legacy-error-reply'));
  });

  it('keep the code of a success that is none without reserve', () => {
    const reply = JSON.parse(golden('unmount-reply')) as Record<string, unknown>;
    expect(parseReply({ ...reply, error_code: 'UNMOUNTED_DIRTY' })).toMatchObject({
      reply: { status: 'success', error_code: 'UNMOUNTED_DIRTY' },
    });
  });

  it('say hello', async () => {
    const memory = new FileFenceMemory(node.runDir, BOOT);
    const hello = await new HelloService(node.settings, memory, node.kernel, new Announcements()).hello();
    const expected = JSON.parse(golden('hello')) as Record<string, unknown>;
    expect(JSON.stringify(hello)).toBe(JSON.stringify({ ...expected, version: programVersion() }));
    expect(asHello(expected)).toEqual(expected);
  });
});
