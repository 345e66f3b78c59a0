import { Logger } from '@nestjs/common';
import { type Hello, helloRoutingKey, makeKeyPair, SIGNATURE_HEADER, signMessage } from '@app/contracts';
import { type ConsumeMessage } from 'amqplib';
import { type KnownNode, type NodePinsRepository } from './node-pins.repository';
import { NodeTrustService } from './node-trust.service';
import { judgeKeys, type PinnedKeys, pinOf } from './pinning';

describe('the trust in hellos', () => {
  let pinned: PinnedKeys | null;
  let looks: { now: number; most: number };
  let trust: NodeTrustService;
  let hello: Hello;
  let message: ConsumeMessage;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    const [sealing, signing] = [await makeKeyPair('X25519'), await makeKeyPair('Ed25519')];
    const keys = { public_key: sealing.publicKey, signing_key: signing.publicKey, signs_replies: true };
    hello = { node: 'n1', incarnation: 'i-1', boot_id: 'b-1', ...keys } as Hello;
    const [content, address] = [Buffer.from(JSON.stringify(hello)), helloRoutingKey('n1')];
    const signed = { kind: 'announcement', address, content, replyTo: null, correlationId: null } as const;
    const headers = { [SIGNATURE_HEADER]: await signMessage(signed, signing, 60_000) };
    message = {
      content,
      fields: { routingKey: address },
      properties: { headers },
    } as unknown as ConsumeMessage;
  });

  beforeEach(() => {
    pinned = null;
    looks = { now: 0, most: 0 };
    const known = (): KnownNode => ({ pinned, wasHeard: true, refusedKeyId: null });
    const judge = (heard: Hello): ReturnType<typeof judgeKeys> => {
      const verdict = judgeKeys(pinned, heard);
      if (verdict.kind === 'pin') pinned = pinOf(heard);
      return verdict;
    };
    trust = new NodeTrustService({
      find: () => Promise.resolve(known()),
      judge: async (heard: Hello) => {
        looks = { now: looks.now + 1, most: Math.max(looks.most, looks.now + 1) };
        await new Promise(setImmediate);
        looks.now -= 1;
        return judge(heard);
      },
    } as unknown as NodePinsRepository);
  });

  const accept = (): void => {
    const { signing_key: key } = hello;
    pinned = { ...(pinOf(hello) as PinnedKeys), key_id: key?.kid ?? '', public_key: null, signing_key: null };
  };

  it('keeps few connections to the database from requests, however many nodes nobody has heard of speak', async () => {
    const strangers = Array.from({ length: 50 }, (_, index) => `invented-${index}`);
    const admitted = strangers.map((node) => {
      const fields = { routingKey: helloRoutingKey(node) };
      const stranger = { ...hello, node, public_key: null, signing_key: null, signs_replies: false };
      return trust.admits(stranger, { ...message, fields } as unknown as ConsumeMessage);
    });
    await Promise.all(admitted);
    expect(looks).toEqual({ now: 0, most: 8 });
  });

  it('pins at first sight, and asks the ledger again where somebody waits for the key that an operator accepted', async () => {
    expect(await trust.admits(hello, message)).toBe(true);
    expect(pinned?.public_key).toEqual(hello.public_key);

    accept();
    // Found good a moment ago: the ledger is not asked.
    expect(await trust.admits(hello, message)).toBe(true);
    expect(pinned).toMatchObject({ public_key: null });

    const key = trust.sealingKey('n1');
    await new Promise(setImmediate);
    expect(await trust.admits(hello, message)).toBe(true);
    expect(await key).toEqual(hello.public_key);
  });
});
