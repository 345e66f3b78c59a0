import { type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DmsError,
  type EnvelopeDto,
  inventoryCommandBody,
  keyPairOf,
  lookCommandBody,
  parseReply,
  parseTargetRequest,
  type TargetAction,
  targetCommandBody,
  SIGNATURE_HEADER,
  type SignedMessage,
  verifyMessage,
} from '@app/contracts';
import { type DataSource } from 'typeorm';
import { verifiedMount } from './bindings/binding-verification.service';
import { BindingsRepository, type BindingView } from './bindings/bindings.repository';
import { errorBody } from '@app/platform';
import { type TargetRow } from './ledger/target-transaction';
import { mountResponse, unmountResponse } from './mounts/responses';
import { type WaitingRequest } from './mounts/waiting-request';
import { CommandSigner } from './nodes/command-signer';
import { ObservedChanges } from './ledger/observed-changes';
import { NodeFactsRepository } from './nodes/node-facts.repository';
import { type NodeLooksService } from './nodes/node-looks.service';
import { type NodeTrustService } from './nodes/node-trust.service';
import { type NodeViewsService } from './nodes/node-views.service';
import { NodesService } from './nodes/nodes.service';
import { TokenSealer } from './nodes/token-sealer.service';
import { OperationsRepository } from './operations/operations.repository';

const GOLDEN = join(__dirname, '../../../libs/contracts/golden');

interface SignedProperties {
  readonly reply_to: string;
  readonly correlation_id: string;
  readonly headers: Record<string, string>;
}

function golden(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), 'utf8')) as Record<string, unknown>;
}

const TIME = new Date('2026-01-01T00:00:00.000Z');
const INCARNATION = '0b54ae6b-91b5-4c3c-a3f1-24f4a8a0c9d5';
const PATH = '/var/lib/trilio/triliovault-mounts/target-123';
const SOURCE = 'http://barbican:9311/v1/secrets/6f3a1b52-5a6e-4a3c-9a55-0d3f0f4c1f11';
const OPERATION_ID = '7d1f5e0a-3c1b-4f0e-8a52-000000000001';
/** The golden signature is to be good for as long as these tests are run. */
const HUNDRED_YEARS_MS = 100 * 365.25 * 86_400_000;
const ROW: TargetRow = {
  state: 'MOUNTED',
  epoch: 1,
  incarnation: INCARNATION,
  mountPath: PATH,
  source: SOURCE,
  type: 's3',
  readOnly: false,
  projectId: null,
  bootId: '11111111-1111-4111-8111-111111111111',
  mntId: 100,
  device: '0:100',
  operationId: OPERATION_ID,
  leaseToken: null,
  revision: 3,
  leased: false,
  draining: false,
  ledger: null,
};

/** A request of a golden file as the services have it. */
function waiting(action: TargetAction, operationId: string): WaitingRequest {
  const request = parseTargetRequest(golden(`${action}-request`), action);
  return { action, request, operationId, mountPath: PATH } as WaitingRequest;
}

/** A database that answers every query with these rows. */
function database(...rows: Record<string, unknown>[]): DataSource {
  return { query: () => Promise.resolve(rows) } as unknown as DataSource;
}

/** What goes over HTTP, as it comes out of the services: a key that is added, lost or renamed shows here. */
describe('golden HTTP bodies', () => {
  it('of a mount', () => {
    const mount = waiting('mount', OPERATION_ID);
    expect(mount.request.keystone_token?.reveal()).toBe('a-keystone-token');
    expect(mountResponse(mount, ROW, false)).toEqual(golden('mount-response'));
  });

  it('of an unmount', () => {
    const unmount = waiting('unmount', '7d1f5e0a-3c1b-4f0e-8a52-000000000005');
    const row = { ...ROW, state: 'ABSENT', epoch: 3 } as const;
    const result = { unmounted: true, remaining: 0, problem: null };
    expect(unmountResponse(unmount, row, result)).toEqual(golden('unmount-response'));
  });

  it('of an unmount whose mount is busy', () => {
    const unmount = waiting('unmount', '7d1f5e0a-3c1b-4f0e-8a52-000000000005');
    const problem = { code: 'BUSY', message: 'PID 4711 (tar) uses it' } as const;
    const result = { unmounted: false, remaining: 0, problem };
    expect(unmountResponse(unmount, { ...ROW, epoch: 3 }, result)).toEqual(golden('unmount-busy-response'));
  });

  it('of an error', () => {
    const error = DmsError.validation([{ field: 'job.jobid', problem: 'must be an integer, not null' }]);
    expect(errorBody(error.of(OPERATION_ID))).toEqual(golden('error'));
  });

  it('of a binding, and of what its node sees', async () => {
    const view = await bindingView();
    expect(view.binding).toEqual(golden('binding'));
    const reply = parseReply(golden('mount-reply'));
    if (reply?.kind !== 'node' || reply.reply.mount === null)
      throw new Error('The golden reply has no mount');
    const verified = verifiedMount(view, { incarnation: INCARNATION, seen: reply.reply.mount });
    expect({ ...view.binding, verified }).toEqual(golden('binding-verified'));
  });

  it('of an operation', async () => {
    const repository = new OperationsRepository(
      database({
        id: OPERATION_ID,
        action: 'mount',
        status: 'success',
        error_code: null,
        jobid: '12345',
        backup_target_id: 'target-123',
        host: 'compute-01',
        epoch: '1',
        mount_path: PATH,
        error_msg: null,
        success_msg: golden('mount-response').success_msg,
        request_id: '7f1c1d8e-0f6a-4b53-9a3e-2f0a1b6f9c11',
        request_data: JSON.stringify({ ...golden('mount-request'), action: 'mount', keystone_token: '***' }),
        response_data: JSON.stringify(golden('mount-response')),
        created_at: TIME,
        updated_at: TIME,
        completed_at: TIME,
        created_text: '2026-01-01 00:00:00.000000',
      }),
    );
    const [{ operation }] = await repository.find({}, 1);
    expect(operation).toEqual(golden('operation'));
  });

  it('of a node, and of what it sees', async () => {
    const reply = parseReply(golden('inventory-reply'));
    const inventory = reply?.kind === 'node' ? reply.reply.inventory : undefined;
    const service = nodesService({ incarnation: INCARNATION, seen: inventory });
    const { nodes } = await service.list();
    expect(nodes[0]).toEqual(golden('node'));
    expect(await service.get('compute-01')).toEqual(golden('node-detail'));
  });
});

/** What dms-server is held to from its side, too. */
describe('golden commands', () => {
  it.each<TargetAction>(['mount', 'unmount'])('%s', async (action) => {
    const command = golden(`${action}-command`);
    const request = parseTargetRequest(command, action);
    const body = targetCommandBody(action, request, command.dms as EnvelopeDto);
    const keyless = { sealingKey: () => Promise.resolve('none') } as unknown as NodeTrustService;
    const sent = await new TokenSealer({ plainTokens: 'legacy' }, keyless).seal('compute-01', body, 1_000);
    expect(JSON.parse(JSON.stringify(sent))).toEqual(command);
  });

  it.each(['probe', 'fence'] as const)('%s', (action) => {
    const command = golden(`${action}-command`);
    const target = { id: 'target-123', type: 's3', source: SOURCE, mountPath: PATH } as const;
    expect(lookCommandBody(action, target, command.dms as EnvelopeDto)).toEqual(command);
  });

  it('inventory', () => {
    const command = golden('inventory-command');
    expect(inventoryCommandBody(command.dms as EnvelopeDto)).toEqual(command);
  });
});

describe('golden signature', () => {
  afterEach(() => jest.useRealTimers());

  it('is what a client puts beside a command', async () => {
    jest.useFakeTimers({
      now: TIME,
      doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout'],
    });
    const { client } = golden('keys') as { client: JsonWebKey };
    const { routing_key, properties, content } = golden('signed-command');
    const { reply_to, correlation_id, headers } = properties as Record<string, string>;
    const signer = new CommandSigner(await keyPairOf(client, 'Ed25519'));
    const command = {
      address: String(routing_key),
      content: Buffer.from(String(content)),
      replyTo: reply_to,
      correlationId: correlation_id,
      expirationMs: HUNDRED_YEARS_MS,
    };
    expect(await signer.headersOf(command)).toEqual(headers);
    expect(await new CommandSigner(null).headersOf(command)).toEqual({});
  });
});

describe('golden replies', () => {
  it('bear a signature that shows whose answer to what they are', async () => {
    const { signing } = golden('keys') as Record<string, JsonWebKey>;
    const { publicKey } = await keyPairOf(signing, 'Ed25519');
    const { routing_key, properties: sent, content: command } = golden('signed-command');
    const { properties, content } = golden('signed-reply');
    const { reply_to, correlation_id, headers: signedBy } = sent as SignedProperties;
    const { headers } = properties as SignedProperties;
    const reply: SignedMessage = {
      ...{ kind: 'reply', address: String(routing_key), content: Buffer.from(String(content)) },
      ...{ replyTo: reply_to, correlationId: correlation_id },
      answers: { content: Buffer.from(String(command)), signature: signedBy[SIGNATURE_HEADER] },
    };
    const verify = (message: SignedMessage): Promise<void> =>
      verifyMessage(headers[SIGNATURE_HEADER], message, [publicKey]);
    await expect(verify(reply)).resolves.toBeUndefined();
    await expect(verify({ ...reply, correlationId: 'another' })).rejects.toThrow('another jti');
    expect(parseReply(JSON.parse(String(content)))).toEqual({ kind: 'node', reply: golden('fence-reply') });
  });

  it.each([
    'mount-reply',
    'unmount-reply',
    'probe-reply',
    'fence-reply',
    'inventory-reply',
    'ledger-reply',
    'stale-reply',
  ])('%s is read without loss', (name) => {
    expect(parseReply(golden(name))).toEqual({ kind: 'node', reply: golden(name) });
  });

  it.each(['legacy-reply', 'legacy-error-reply'])('%s is that of a Python server', (name) => {
    expect(parseReply(golden(name))).toEqual({ kind: 'legacy', reply: golden(name) });
  });
});

async function bindingView(): Promise<BindingView> {
  const repository = new BindingsRepository(
    database({
      id: '1',
      jobid: '12345',
      backup_target_id: 'target-123',
      host: 'compute-01',
      state: 'held',
      mount_path: PATH,
      mount_state: 'MOUNTED',
      project_id: 'project-789',
      hold_id: null,
      operation_id: OPERATION_ID,
      lease_expires_at: null,
      created_at: TIME,
      updated_at: TIME,
      type: 's3',
      source: SOURCE,
      incarnation: INCARNATION,
      mnt_id: '100',
    }),
  );
  return (await repository.find({}, 1))[0];
}

function nodesService(inventory: unknown): NodesService {
  const facts = new NodeFactsRepository(
    database({
      host: 'compute-01',
      state: 'up',
      incarnation: INCARNATION,
      boot_id: '4d1a7b1e-6f1c-4a55-8e5e-0d6b7f1c2a33',
      protocol: 1,
      version: '0.1.0',
      bases: '["/var/lib/trilio/triliovault-mounts"]',
      last_seen: TIME,
      key_id: 'yWfibCiuMXJUKE_1XFDWakw13o4V8jb9KBlwjdQ5lRk',
      refused_key_id: null,
      signs_replies: 1,
      fresh: 1,
      problem: null,
    }),
    new ObservedChanges(),
  );
  const mount = { ...ROW, targetId: 'target-123', held: 1, unheld: false, problem: null };
  jest.spyOn(facts, 'mounts').mockResolvedValue(new Map([['target-123', mount]]));
  return new NodesService(
    facts,
    {
      upHosts: () => new Set(),
      heardLedger: () => undefined,
      isLegacyQueueLost: () => undefined,
      heardProblem: () => undefined,
      lastHeard: () => null,
    } as unknown as NodeViewsService,
    { inventory: () => Promise.resolve(inventory) } as unknown as NodeLooksService,
    { keyId: null },
  );
}
