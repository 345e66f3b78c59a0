import { Logger } from '@nestjs/common';
import { makeKeyPair, nodeQueue, Secret, sealToken, SIGNATURE_HEADER, signMessage } from '@app/contracts';
import { nodeClockMs } from '../hello/node-clock';
import { decoderOf, messageOf } from '../testing/test-decoder';
import { type CommandDecoder, type DecodedMessage } from './command.decoder';
import { refusal } from './command-result';
import { encodeReply } from './reply.encoder';

const NODE = 'node-1';
const INCARNATION = 'memory-1';
let decoder: CommandDecoder;
let key: Awaited<ReturnType<typeof makeKeyPair<'X25519'>>>;
const decode = (body: unknown): Promise<DecodedMessage> =>
  decoder.decode(messageOf(typeof body === 'string' ? body : JSON.stringify(body)));

beforeAll(async () => {
  Logger.overrideLogger(false);
  key = await makeKeyPair('X25519');
  decoder = decoderOf({ node: NODE, incarnation: INCARNATION, keys: { encryption: key } });
});

const target = { id: 't', type: 'nfs', filesystem_export: 'server:/export' };
const dms = {
  protocol: 1,
  incarnation: null,
  epoch: 1,
  operation_id: '7d1f5e0a-3c1b-4f0e-8a52-000000000001',
  deadline_ms: 1000,
};

describe('a message', () => {
  it('fills in what Python programs leave out', async () => {
    expect(await decode({ action: 'mount', jobid: 5, backup_target: target })).toMatchObject({
      kind: 'command',
      extended: false,
      command: { action: 'mount', envelope: null, request: { host: NODE, job: { jobid: 5 } } },
    });
  });

  it('takes the envelope of our own programs', async () => {
    const body = { action: 'mount', host: NODE, job: { jobid: 5 }, backup_target: target, dms };
    expect(await decode(body)).toMatchObject({ kind: 'command', extended: true, command: { envelope: dms } });
  });

  it.each([
    ['not json', /^Invalid JSON format in request$/, false],
    ['null', /^body: must be a JSON object, not null$/, false],
    [[1], /^body: must be a JSON object, not an array$/, false],
    [{}, /^action: /, false],
    [{ action: 5, dms }, /^Unknown action: a number$/, true],
    [{ action: 'mount', backup_target: { ...target, id: '../x' } }, /^backup_target\.id: /, false],
    [{ action: 'mount', backup_target: target, jobid: '7' }, /^jobid: must be a JSON integer/, false],
    [
      { action: 'mount', host: NODE, job: { jobid: 1 }, backup_target: target, dms: { protocol: 1 } },
      /^dms: .*epoch/,
      true,
    ],
    [{ action: 'fence', backup_target: { id: 't' } }, /^dms: is required/, false],
    ['['.repeat(1024 * 1024 + 1), /^body: must have at most 1048576 bytes$/, false],
    ['['.repeat(100_000), /^Invalid JSON/, false],
  ])('refuses a bad body and names the field (%#)', async (body, text, extended) => {
    const decoded = await decode(body);
    if (decoded.kind !== 'refused') throw new Error('It was accepted');
    expect(decoded.error.message).toMatch(text);
    expect(decoded.extended).toBe(extended);
  });
});

describe('a command with the time at which it was sent', () => {
  const decoded = async (sent_clock_ms: number, redelivered = false): Promise<unknown> => {
    const operation_id = '7d1f5e0a-3c1b-4f0e-8a52-000000000001';
    const dms = {
      protocol: 1,
      incarnation: INCARNATION,
      epoch: 1,
      operation_id,
      deadline_ms: 1_000,
      sent_clock_ms,
    };
    const message = messageOf(JSON.stringify({ action: 'probe', backup_target: { id: 't1' }, dms }));
    return decoder.decode({ ...message, fields: { ...message.fields, redelivered } });
  };
  const late = { kind: 'refused', error: { code: 'TIMEOUT' } };

  it('is refused if its sender has ceased to wait, by the clock of this node', async () => {
    expect(await decoded(nodeClockMs() - 12_000)).toMatchObject(late);
  });

  it('is obeyed if it is younger, also if the hello by which the sender reckons came late', async () => {
    expect(await decoded(nodeClockMs())).toMatchObject({ kind: 'command' });
    expect(await decoded(nodeClockMs() - 7_000)).toMatchObject({ kind: 'command' });
    expect(await decoded(nodeClockMs() + 60_000)).toMatchObject({ kind: 'command' });
  });

  it('is left to the fence if it was delivered before, because it may have been begun', async () => {
    expect(await decoded(nodeClockMs() - 60_000, true)).toMatchObject({ kind: 'command' });
  });
});

describe('a sealed token', () => {
  const s3 = {
    id: 't',
    type: 's3',
    secret_ref: 'http://barbican:9311/v1/secrets/6f3a1b52-5a6e-4a3c-9a55-0d3f0f4c1f11',
  };
  const body = async (incarnation: string, changes: Record<string, unknown> = {}) => {
    const envelope = { ...dms, incarnation };
    const sealed = await sealToken(
      new Secret('token-1'),
      key.publicKey,
      {
        node: NODE,
        incarnation,
        epoch: 1,
        operationId: dms.operation_id,
        action: 'mount',
        targetId: 't',
        secretRef: s3.secret_ref,
      },
      60_000,
    );
    const command = {
      action: 'mount',
      host: NODE,
      job: { jobid: 5 },
      backup_target: s3,
      keystone_token: null,
    };
    return { ...command, dms: { ...envelope, sealed_token: sealed }, ...changes };
  };

  it('is opened', async () => {
    const decoded = await decode(await body(INCARNATION));
    if (decoded.kind !== 'command' || !('request' in decoded.command)) throw new Error('It is no mount');
    expect(decoded.command.request.keystone_token?.reveal()).toBe('token-1');
    expect(JSON.stringify(decoded)).not.toContain('token-1');
  });

  it('that was moved to another command is refused, and so is one that is none', async () => {
    const moved = await decode(await body(INCARNATION, { backup_target: { ...s3, id: 'u' } }));
    expect(moved).toMatchObject({ kind: 'refused', error: { code: 'FORBIDDEN' } });
    const none = {
      ...(await body(INCARNATION)),
      dms: { ...dms, incarnation: INCARNATION, sealed_token: 'x' },
    };
    expect(await decode(none)).toMatchObject({ kind: 'refused', error: { code: 'FORBIDDEN' } });
  });

  it('for an earlier memory is left to the fence, which refuses its command', async () => {
    const decoded = await decode(await body('memory-0'));
    if (decoded.kind !== 'command' || !('request' in decoded.command)) throw new Error('It is no mount');
    expect(decoded.command.request.keystone_token?.reveal()).not.toBe('token-1');
    expect(decoded.command.envelope?.incarnation).toBe('memory-0');
  });
});

describe('where signatures are required', () => {
  const content = JSON.stringify({ action: 'inventory', dms });

  const answer = async (headers: Record<string, unknown>, text = content): Promise<DecodedMessage> =>
    strict.decode(messageOf(text, { replyTo: 'r', correlationId: 'c', headers }));
  let strict: CommandDecoder;
  let client: Awaited<ReturnType<typeof makeKeyPair<'Ed25519'>>>;
  beforeAll(async () => {
    client = await makeKeyPair('Ed25519');
    const options = { node: NODE, incarnation: INCARNATION, keys: { encryption: key } };
    strict = decoderOf({ ...options, clientKeys: [client.publicKey], requireSigned: true });
  });

  const signature = (text: string, node = NODE, signer = client): Promise<string> => {
    const signed = { content: Buffer.from(text), replyTo: 'r', correlationId: 'c' };
    return signMessage({ kind: 'command', address: nodeQueue(node), ...signed }, signer, 1_000);
  };

  it('a client is obeyed', async () => {
    const signed = await answer({ [SIGNATURE_HEADER]: await signature(content) });
    expect(signed).toMatchObject({ kind: 'command', command: { action: 'inventory' } });
  });

  it('all others are refused: unsigned, by a stranger, for another node, without an epoch', async () => {
    const legacy = JSON.stringify({ action: 'mount', jobid: 5, backup_target: target });
    const refused = [
      await answer({}),
      await answer({ [SIGNATURE_HEADER]: await signature(content, NODE, await makeKeyPair('Ed25519')) }),
      await answer({ [SIGNATURE_HEADER]: await signature(content, 'node-2') }),
      await answer({ [SIGNATURE_HEADER]: await signature(legacy) }, legacy),
    ];
    for (const decoded of refused)
      expect(decoded).toMatchObject({ kind: 'refused', error: { code: 'FORBIDDEN' } });
  });

  it('they are not required by default, and then nothing is refused', async () => {
    const lax = decoderOf({
      node: NODE,
      incarnation: INCARNATION,
      keys: { encryption: key },
      clientKeys: [client.publicKey],
    });
    expect(await lax.decode(messageOf(content))).toMatchObject({ kind: 'command' });
  });
});

describe('encodeReply', () => {
  it('adds what ours know behind the three keys', async () => {
    const decoded = await decode({ action: 'reboot', dms });
    if (decoded.kind !== 'refused') throw new Error('It was accepted');
    const text = encodeReply(refusal(decoded.error), decoded.extended, {
      node: NODE,
      incarnation: 'i',
      bootId: 'b',
    });
    expect(text.toString()).toBe(
      '{"status":"error","error_msg":"Unknown action: reboot","success_msg":null,"error_code":"VALIDATION_FAILED",' +
        '"mount_path":null,"epoch":null,"incarnation":"i","boot_id":"b","node":"node-1","mount":null,"acted":false}',
    );
  });
});
