import { decodeMessage } from './command.decoder';
import { refusal } from './command-result';
import { encodeReply } from './reply.encoder';

const NODE = 'node-1';
const decode = (body: unknown) =>
  decodeMessage(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), NODE);
const target = { id: 't', type: 'nfs', filesystem_export: 'server:/export' };
const dms = {
  protocol: 1,
  incarnation: null,
  epoch: 1,
  operation_id: '7d1f5e0a-3c1b-4f0e-8a52-000000000001',
  deadline_ms: 1000,
};

describe('decodeMessage', () => {
  it('fills in what Python programs leave out', () => {
    expect(decode({ action: 'mount', jobid: 5, backup_target: target })).toMatchObject({
      kind: 'command',
      extended: false,
      command: { action: 'mount', envelope: null, request: { host: NODE, job: { jobid: 5 } } },
    });
  });

  it('takes the envelope of our own programs', () => {
    const body = { action: 'mount', host: NODE, job: { jobid: 5 }, backup_target: target, dms };
    expect(decode(body)).toMatchObject({ kind: 'command', extended: true, command: { envelope: dms } });
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
  ])('refuses a bad body and names the field (%#)', (body, text, extended) => {
    const decoded = decode(body);
    if (decoded.kind !== 'refused') throw new Error('It was accepted');
    expect(decoded.error.message).toMatch(text);
    expect(decoded.extended).toBe(extended);
  });
});

describe('encodeReply', () => {
  it('adds what ours know behind the three keys', () => {
    const decoded = decode({ action: 'reboot', dms });
    if (decoded.kind !== 'refused') throw new Error('It was accepted');
    const text = encodeReply(refusal(decoded.error), decoded.extended, { node: NODE, incarnation: 'i' });
    expect(text.toString()).toBe(
      '{"status":"error","error_msg":"Unknown action: reboot","success_msg":null,"error_code":"VALIDATION_FAILED",' +
        '"mount_path":null,"epoch":null,"incarnation":"i","node":"node-1","mount":null,"acted":false}',
    );
  });
});
