import { Logger } from '@nestjs/common';
import {
  DmsError,
  type KeyPair,
  makeKeyPair,
  type PublicKey,
  SIGNATURE_HEADER,
  type SignedMessage,
  signMessage,
} from '@app/contracts';
import { type Happening, observe } from '@app/platform';
import { type ConsumeMessage } from 'amqplib';
import { type KnownNode, type NodePinsRepository } from './node-pins.repository';
import { type PinnedKeys } from './pinning';
import { ReplyTrustService, type SentCommand } from './reply-trust.service';
import { WaitingReplies } from './waiting-replies';

const CONTENT = Buffer.from('{"status":"success"}');
const COMMAND: SentCommand = {
  ...{ host: 'n1', address: 'dms.n1', content: Buffer.from('{"action":"mount"}') },
  ...{ replyTo: 'amq.rabbitmq.reply-to', correlationId: 'c-1', signature: 'a.b.c', replyKey: 'none' },
};
const SIGNED: SignedMessage = {
  ...{ kind: 'reply', address: 'dms.n1', content: CONTENT },
  ...{ replyTo: 'amq.rabbitmq.reply-to.g1', correlationId: 'c-1', answers: COMMAND },
};
/** Longer than a reply is held back. */
const HELD_MS = 7_000;

function message(headers: Record<string, unknown>, content: Uint8Array = CONTENT): ConsumeMessage {
  return { content, properties: { correlationId: 'c-1', headers }, fields: {} } as unknown as ConsumeMessage;
}

async function replyBy(
  key: KeyPair<'Ed25519'>,
  changes: Partial<SignedMessage> = {},
): Promise<ConsumeMessage> {
  const signature = await signMessage({ ...SIGNED, ...changes }, key, null);
  return message({ [SIGNATURE_HEADER]: signature }, changes.content);
}

function pinned(signing_key: PublicKey<'Ed25519'> | null, signs_replies = true): KnownNode {
  const keys: PinnedKeys = {
    ...{ key_id: 'k', public_key: null, signing_key, signs_replies },
    ...{ boot_id: null, incarnation: null },
  };
  return { pinned: keys, wasHeard: true, refusedKeyId: null };
}

describe('the trust in replies', () => {
  let key: KeyPair<'Ed25519'>;
  let stranger: KeyPair<'Ed25519'>;
  let known: KnownNode | null | DmsError;
  let happenings: Happening[];
  /** The key of a hello that was refused a moment ago. */
  let refused: string | null;
  let lookAgain: jest.Mock;
  let views: { hasListened: boolean; upHosts: () => Set<string> };
  let end: () => void;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    [key, stranger] = [await makeKeyPair('Ed25519'), await makeKeyPair('Ed25519')];
  });
  beforeEach(() => {
    known = pinned(key.publicKey);
    happenings = [];
    refused = null;
    lookAgain = jest.fn();
    views = { hasListened: true, upHosts: () => new Set(['n1']) };
    end = observe({ happened: (happening) => happenings.push(happening) });
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance', 'Date'] });
  });
  afterEach(() => {
    end();
    jest.useRealTimers();
  });

  const service = (requireSigned = false): ReplyTrustService => {
    const find = (): Promise<KnownNode | null> =>
      known instanceof DmsError ? Promise.reject(known) : Promise.resolve(known);
    const pins = { find } as unknown as NodePinsRepository;
    const hellos = { refusedKeyId: () => refused, lookAgain };
    return new ReplyTrustService({ requireSigned }, pins, views, hellos);
  };
  const admits = (reply: ConsumeMessage, command = COMMAND, requireSigned = false): Promise<boolean> =>
    service(requireSigned).admits(command, reply, () => true);
  const OLD: KnownNode = { pinned: null, wasHeard: true, refusedKeyId: null };

  it('is of who bears the node’s signature of this very reply', async () => {
    expect(await admits(await replyBy(key))).toBe(true);
    expect(happenings).toEqual([]);
  });

  it.each<[string, string, () => Promise<ConsumeMessage>]>([
    ['is not signed', 'unsigned', () => Promise.resolve(message({}))],
    ['bears something else', 'signature', () => Promise.resolve(message({ [SIGNATURE_HEADER]: 7 }))],
    [
      'is of another body',
      'signature',
      async () => ({ ...(await replyBy(key)), content: Buffer.from('{}') }),
    ],
    ['answers another command', 'signature', () => replyBy(key, { correlationId: 'c-0' })],
    [
      'answers what bore its id',
      'signature',
      () => replyBy(key, { answers: { ...COMMAND, signature: null } }),
    ],
    ['is of another node', 'signature', () => replyBy(key, { address: 'dms.n2' })],
    ['is an announcement', 'signature', () => replyBy(key, { kind: 'announcement' })],
  ])('is at once lost by a reply that %s', async (_, problem, make) => {
    expect(await admits(await make())).toBe(false);
    expect(happenings).toEqual([{ what: 'reply_refused', problem }]);
  });

  it('is no matter where a node has never said that it signs them', async () => {
    for (const node of [null, OLD, pinned(key.publicKey, false)]) {
      known = node;
      expect(await admits(message({}))).toBe(true);
    }
    expect(happenings).toEqual([]);
  });

  it('is never in such a node where signatures are required', async () => {
    for (const node of [OLD, pinned(key.publicKey, false)]) {
      known = node;
      expect(await admits(message({}), COMMAND, true)).toBe(false);
      await expect(service(true).keyToExpect('n1')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    known = pinned(key.publicKey);
    expect(await service(true).keyToExpect('n1')).toEqual(key.publicKey);
    expect(await admits(await replyBy(key), COMMAND, true)).toBe(true);
  });

  it('is asked of nobody in whose name only others say hello', async () => {
    known = { ...pinned(key.publicKey), refusedKeyId: 'k-2' };
    refused = 'k-2';
    expect(await service().keyToExpect('n1')).toEqual(key.publicKey);
    views.upHosts = () => new Set();
    const error = { code: 'FORBIDDEN', message: expect.stringContaining('--accept-key k-2') as unknown };
    await expect(service().keyToExpect('n1')).rejects.toMatchObject(error);
    // Long ago: the node may be as silent as any other.
    refused = null;
    expect(await service().keyToExpect('n1')).toEqual(key.publicKey);
  });

  it('is not decided before the others could be heard', async () => {
    known = { ...pinned(key.publicKey), refusedKeyId: 'k-2' };
    views = { hasListened: false, upHosts: () => new Set() };
    const expected = service().keyToExpect('n1');
    const failed = expect(expected).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await jest.advanceTimersByTimeAsync(300);
    refused = 'k-2';
    await jest.advanceTimersByTimeAsync(300);
    await failed;
  });

  it('goes by what was known when the command was sent while the ledger cannot be asked', async () => {
    known = new DmsError('LEDGER_UNAVAILABLE', 'away');
    const sent = { ...COMMAND, replyKey: key.publicKey };
    expect(await admits(await replyBy(key), sent)).toBe(true);
    expect(await admits(message({}), sent)).toBe(false);
    expect(await admits(message({}))).toBe(true);
  });

  it.each<[string, () => KnownNode]>([
    ['of a new memory', () => pinned(key.publicKey)],
    ['that an operator has accepted', () => pinned(null, false)],
  ])('waits for the hello with the key %s', async (_, before) => {
    known = before();
    const admitted = admits(await replyBy(stranger));
    await jest.advanceTimersByTimeAsync(300);
    known = pinned(stranger.publicKey);
    await jest.advanceTimersByTimeAsync(300);
    expect(await admitted).toBe(true);
  });

  it('has the next hello compared where an operator has accepted a key', async () => {
    known = pinned(null, false);
    lookAgain.mockImplementation(() => (known = pinned(key.publicKey)));
    const [admitted, expected] = [admits(await replyBy(key)), service(true).keyToExpect('n1')];
    await jest.advanceTimersByTimeAsync(300);
    expect([await admitted, await expected]).toEqual([true, key.publicKey]);
    expect(lookAgain).toHaveBeenCalledWith('n1');
  });

  it('does not wait for ever', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    const admitted = admits(await replyBy(stranger));
    await jest.advanceTimersByTimeAsync(HELD_MS);
    expect(await admitted).toBe(false);
    expect(happenings).toEqual([{ what: 'reply_refused', problem: 'unknown_key' }]);

    known = null;
    const expected = service(true).keyToExpect('n1');
    const refused = expect(expected).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
    await jest.advanceTimersByTimeAsync(HELD_MS);
    await refused;
  });

  describe('where a command waits', () => {
    let answers: unknown[];
    let waiting: WaitingReplies;
    beforeEach(() => {
      answers = [];
      waiting = new WaitingReplies(service());
      waiting.add('c-1', 'n1', ({ response }) => answers.push(response));
    });

    it('lets what is forged pass as if nothing had come, and takes the true reply once', async () => {
      expect(waiting.sent(COMMAND)).toBe(true);
      await waiting.take(message({}));
      await waiting.take(
        await replyBy(stranger, { content: Buffer.from('{"status":"error"}') }).then(unsigned),
      );
      expect(answers).toEqual([]);
      for (const _ of 'twice') await waiting.take(await replyBy(key));
      expect(answers).toEqual([{ status: 'success' }]);
      expect(waiting.size).toBe(0);
    });

    it('takes none before it is sent, and sends none that nobody wants', async () => {
      await waiting.take(await replyBy(key));
      expect(answers).toEqual([]);
      waiting.remove('c-1');
      expect(waiting.sent(COMMAND)).toBe(false);
    });

    it('is not kept from the true reply by a few forged ones that are held back', async () => {
      waiting.sent(COMMAND);
      const forged = await replyBy(stranger);
      const held = Array.from({ length: 5 }, () => waiting.take(forged));
      await waiting.take(await replyBy(key));
      expect(answers).toEqual([{ status: 'success' }]);
      await jest.advanceTimersByTimeAsync(300);
      await Promise.all(held);
      expect(answers).toHaveLength(1);
    });
  });
});

function unsigned({ content }: ConsumeMessage): ConsumeMessage {
  return message({}, content);
}
