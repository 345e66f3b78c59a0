import { type KeyPair, makeKeyPair } from './key-pair';
import {
  type SignedMessage,
  signMessage,
  SignatureError,
  UnknownSignerError,
  verifyMessage,
} from './signature';

const COMMAND: SignedMessage = {
  kind: 'command',
  address: 'dms.compute-01',
  content: Buffer.from('{"action":"inventory"}'),
  replyTo: 'amq.gen-1',
  correlationId: 'c-1',
};

describe('a signature', () => {
  let key: KeyPair<'Ed25519'>;
  beforeAll(async () => {
    key = await makeKeyPair('Ed25519');
  });

  const verify = async (message: SignedMessage, signature?: unknown): Promise<void> =>
    verifyMessage(signature ?? (await signMessage(COMMAND, key, 60_000)), message, [
      (await makeKeyPair('Ed25519')).publicKey,
      key.publicKey,
    ]);

  it('is that of the message, by one of several keys', async () => {
    await expect(verify(COMMAND)).resolves.toBeUndefined();
  });

  it('is right by a key that is given twice', async () => {
    const signature = await signMessage(COMMAND, key, 60_000);
    const keys = [key.publicKey, { ...key.publicKey }];
    await expect(verifyMessage(signature, COMMAND, keys)).resolves.toBeUndefined();
  });

  it('has to name its key where there are several', async () => {
    const header = Buffer.from('{"alg":"EdDSA","typ":"dms-command+jwt"}').toString('base64url');
    const [, ...rest] = (await signMessage(COMMAND, key, 60_000)).split('.');
    await expect(verify(COMMAND, [header, ...rest].join('.'))).rejects.toThrow('names no key');
  });

  it('is not judged by an error that is about something else', async () => {
    const broken = { ...key.publicKey, x: 'short' };
    const verdict = verifyMessage(await signMessage(COMMAND, key, 60_000), COMMAND, [broken]);
    await expect(verdict).rejects.not.toThrow(SignatureError);
  });

  it.each<[string, Partial<SignedMessage>, RegExp]>([
    ['the queue of another node', { address: 'dms.compute-02' }, /another aud$/],
    ['another body', { content: Buffer.from('{"action": "inventory"}') }, /another sha256$/],
    ['another reply queue', { replyTo: 'amq.gen-2' }, /another reply_to$/],
    ['another correlation id', { correlationId: null }, /another jti$/],
    ['an announcement', { kind: 'announcement' }, /wrong signature/],
    ['a reply', { kind: 'reply' }, /wrong signature/],
  ])('is none of a message with %s', async (_, changes, words) => {
    const verifying = verify({ ...COMMAND, ...changes });
    await expect(verifying).rejects.toThrow(SignatureError);
    await expect(verifying).rejects.toThrow(words);
  });

  it.each([undefined, null, '', 7])('is missing where there is %j', async (signature) => {
    await expect(verifyMessage(signature, COMMAND, [key.publicKey])).rejects.toThrow('is not signed');
  });

  it('is wrong where a stranger made it, or where it was changed', async () => {
    const stranger = await makeKeyPair('Ed25519');
    const unknown = verify(COMMAND, await signMessage(COMMAND, stranger, 60_000));
    await expect(unknown).rejects.toThrow(UnknownSignerError);
    await expect(unknown).rejects.toThrow(/not trusted/);
    const posing = { ...stranger, publicKey: key.publicKey };
    await expect(verify(COMMAND, await signMessage(COMMAND, posing, 60_000))).rejects.toThrow(
      /wrong signature/,
    );
    await expect(verify(COMMAND, 'a.b.c')).rejects.toThrow(/wrong signature/);
    const unsigned = `${Buffer.from('{"alg":"none","typ":"dms-command+jwt"}').toString('base64url')}.e30.`;
    await expect(verify(COMMAND, unsigned)).rejects.toThrow(/wrong signature/);
  });

  it('ends with its message, give or take a difference of the clocks', async () => {
    await expect(verify(COMMAND, await signMessage(COMMAND, key, -30_000))).resolves.toBeUndefined();
    await expect(verify(COMMAND, await signMessage(COMMAND, key, -90_000))).rejects.toThrow(/expired/);
  });

  it('outlives the name that the broker gives to a direct reply', async () => {
    const sent = { ...COMMAND, replyTo: 'amq.rabbitmq.reply-to' };
    const received = { ...COMMAND, replyTo: 'amq.rabbitmq.reply-to.g1h2AA5yZXBseUA' };
    await expect(verify(received, await signMessage(sent, key, 60_000))).resolves.toBeUndefined();
  });

  describe('of a reply', () => {
    const REPLY: SignedMessage = {
      ...COMMAND,
      kind: 'reply',
      content: Buffer.from('{"status":"success"}'),
      answers: { content: COMMAND.content, signature: 'a.b.c' },
    };
    const answers = (changes: object): Partial<SignedMessage> => ({
      answers: { content: COMMAND.content, signature: 'a.b.c', ...changes },
    });
    const verifyReply = async (message: SignedMessage, signature?: string): Promise<void> =>
      verifyMessage(signature ?? (await signMessage(REPLY, key, null)), message, [key.publicKey]);

    it('is that of the reply, for as long as somebody waits for it', async () => {
      const signature = await signMessage(REPLY, key, null);
      const hour = 3_600_000;
      for (const skew of [-hour, hour]) {
        const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + skew);
        await expect(verifyReply(REPLY, signature)).resolves.toBeUndefined();
        clock.mockRestore();
      }
    });

    it.each<[string, Partial<SignedMessage>, RegExp]>([
      ['of another node', { address: 'dms.compute-02' }, /another aud$/],
      ['with another body', { content: Buffer.from('{"status":"error"}') }, /another sha256$/],
      ['with another correlation id', { correlationId: 'c-2' }, /another jti$/],
      ['to a command with another reply queue', { replyTo: 'amq.gen-2' }, /another reply_to$/],
      ['to another command', answers({ content: Buffer.from('{}') }), /another command_sha256$/],
      ['to a command with another signature', answers({ signature: 'a.b.d' }), /command_signature_sha256$/],
      ['to a command without one', answers({ signature: null }), /command_signature_sha256$/],
      ['that is a command', { kind: 'command' }, /wrong signature/],
    ])('is none of a reply %s', async (_, changes, words) => {
      await expect(verifyReply({ ...REPLY, ...changes })).rejects.toThrow(words);
    });
  });
});
