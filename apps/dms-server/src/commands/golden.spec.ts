import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { asHello, parseReply } from '@app/contracts';
import { BrokerAlarm, programVersion } from '@app/platform';
import { FileFenceMemory } from '../fence/fence-memory.repository';
import { FenceService } from '../fence/fence.service';
import { Announcements } from '../hello/announcements.service';
import { HelloService } from '../hello/hello.service';
import { TroubledMounts } from '../hello/troubled-mounts';
import { WaysIn } from '../hello/ways-in';
import { decoderOf, goldenKeys, messageOf } from '../testing/test-decoder';
import { BOOT, TestNode } from '../testing/test-node';
import { type CommandDecoder } from './command.decoder';
import { refusal } from './command-result';
import { encodeReply } from './reply.encoder';
import { ReplySigner } from './reply.signer';

const GOLDEN = join(__dirname, '../../../../libs/contracts/golden');
const ANSWERER = {
  node: 'compute-01',
  incarnation: '0b54ae6b-91b5-4c3c-a3f1-24f4a8a0c9d5',
  bootId: '11111111-1111-4111-8111-111111111111',
};

const TIME = new Date('2026-01-01T00:00:00.000Z');

/** A golden message with its properties. */
interface SignedMessageFile {
  readonly properties: { reply_to: string; correlation_id: string; headers: Record<string, string> };
  readonly content: string;
}

/** A golden body, in one line as it goes over the wire. */
function golden(name: string): string {
  return JSON.stringify(JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), 'utf8')));
}

/** The wire as docs/WIRE.md and the files in libs/contracts/golden have it; dms-client is held to the same files. */
describe('golden messages', () => {
  let node: TestNode;
  let keys: Awaited<ReturnType<typeof goldenKeys>>;
  let decoder: CommandDecoder;

  beforeAll(async () => {
    keys = await goldenKeys();
    decoder = decoderOf({ ...ANSWERER, keys });
  });

  beforeEach(() => {
    const env = { DMS_NODE_ID: ANSWERER.node, DMS_MOUNT_BASE: '/var/lib/trilio/triliovault-mounts' };
    node = new TestNode(env, ANSWERER.incarnation);
  });

  afterEach(() => {
    node.remove();
  });

  /** What the server answers to a body, byte for byte. */
  const answer = async (text: string): Promise<string> => {
    const decoded = await decoder.decode(messageOf(text));
    const result =
      decoded.kind === 'refused'
        ? refusal(decoded.error)
        : await node.send(JSON.parse(text) as Record<string, unknown>);
    return encodeReply(result, decoded.extended, ANSWERER).toString();
  };

  it('are understood, and answered to the letter, one after the other', async () => {
    for (const name of ['mount', 'probe', 'fence', 'inventory', 'ledger', 'unmount', 'stale']) {
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

  it('bear a token that only this node can open', async () => {
    const decoded = await decoder.decode(messageOf(golden('sealed-mount-command')));
    if (decoded.kind !== 'command' || !('request' in decoded.command)) throw new Error('It is no mount');
    expect(decoded.command.request.keystone_token?.reveal()).toBe('a-keystone-token');
    const plain = JSON.parse(golden('mount-command')) as Record<string, unknown>;
    expect(JSON.parse(golden('sealed-mount-command'))).toMatchObject({ ...plain, keystone_token: null });
  });

  it('bear a signature that shows whose they are', async () => {
    const { properties, content } = JSON.parse(golden('signed-command')) as SignedMessageFile;
    const strict = decoderOf({ ...ANSWERER, keys, clientKeys: [keys.client.publicKey], requireSigned: true });
    // The broker puts an address in the place of the name under which a direct reply is asked for.
    const replyTo = `${properties.reply_to}.g1h2AA5yZXBseUA`;
    const { correlation_id: correlationId, headers } = properties;
    const signed = messageOf(content, { replyTo, correlationId, headers });
    expect(await strict.decode(signed)).toMatchObject({ kind: 'command', command: { action: 'fence' } });
    const moved = messageOf(content, { replyTo, correlationId: 'another', headers });
    expect(await strict.decode(moved)).toMatchObject({ kind: 'refused', error: { code: 'FORBIDDEN' } });
  });

  it('are answered with a signature that shows whose answer to what it is', async () => {
    const { properties, content: command } = JSON.parse(golden('signed-command')) as SignedMessageFile;
    const { properties: expected, content } = JSON.parse(golden('signed-reply')) as SignedMessageFile;
    const { reply_to: replyTo, correlation_id: correlationId, headers } = properties;
    jest.useFakeTimers({
      now: TIME,
      doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout'],
    });
    try {
      const signer = new ReplySigner({ nodeId: ANSWERER.node }, keys);
      const received = messageOf(command, { replyTo, correlationId, headers });
      expect(await signer.headersOf(received, Buffer.from(content))).toEqual(expected.headers);
    } finally {
      jest.useRealTimers();
    }
    expect(expected.correlation_id).toBe(correlationId);
  });

  it('say hello', async () => {
    const memory = new FileFenceMemory(node.runDir, BOOT);
    const alarm = new BrokerAlarm(new Logger('Broker'));
    const announcements = new Announcements(keys, alarm);
    const expected = JSON.parse(golden('hello')) as Record<string, unknown>;
    const ways = new WaysIn();
    ways.commandQueue = String(expected.command_queue);
    const service = new HelloService(
      node.settings,
      new FenceService(memory),
      node.kernel,
      announcements,
      keys,
      ways,
      new TroubledMounts(),
      { current: () => Promise.resolve([]) },
      { text: null },
      alarm,
    );
    const hello = await service.hello();
    const { clock_ms } = expected;
    expect(JSON.stringify({ ...hello, clock_ms })).toBe(
      JSON.stringify({ ...expected, version: programVersion() }),
    );
    expect(hello.clock_ms).toEqual(expect.any(Number));
    expect(asHello(expected)).toEqual(expected);
    const { ledger } = (JSON.parse(golden('mount-command')) as { dms: { ledger: string } }).dms;
    expect(asHello({ ...expected, ledger })).toEqual({ ...expected, ledger });
    expect(asHello({ ...expected, ledger: 7 })).toEqual(expected);
    const { signs_replies: _, ...unsigned } = expected;
    expect(asHello({ ...expected, signs_replies: 'yes' })).toEqual(unsigned);
    const { command_queue: _queue, ...queueless } = expected;
    expect(asHello({ ...expected, command_queue: `dms.compute-02.${'a'.repeat(32)}` })).toEqual(queueless);
    const keyless = { public_key: null, signing_key: null };
    expect(asHello({ ...expected, ...keyless })).toEqual({ ...unsigned, ...keyless });
  });
});
