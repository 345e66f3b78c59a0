import { execFile } from 'node:child_process';
import { type JsonWebKey, randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { keyPairOf, makeKeyPair, SIGNATURE_HEADER, signMessage } from '@app/contracts';
import { filesWith } from '../fleet/files-with';
import { Fleet } from '../fleet/fleet';
import { mountsBelow } from '../fleet/mount-table';
import { PROGRAMS } from '../fleet/programs';
import { PythonNode } from '../fleet/python-node';
import { type S3Target } from '../fleet/targets';
import { Wiretap } from '../fleet/wiretap';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const SOON = { timeoutMs: 30_000, intervalMs: 100 };

interface NodeAnswer {
  readonly state: string;
  readonly incarnation: string;
  readonly boot_id: string;
  readonly key_id: string | null;
  readonly refused_key_id: string | null;
}

/** On a broker of its own, which it listens to and whose files it searches. */
describeOnRig('a token on its way', (shared) => {
  let rig: Rig;
  let fleet: Fleet;
  let tap: Wiretap;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'] });
    fleet = await Fleet.start({ ...shared, brokerUrl: rig.broker.url });
    await fleet.acquainted();
    tap = await Wiretap.on(rig.broker);
  }, 120_000);

  afterAll(async () => {
    await tap?.off();
    await fleet?.stop();
    await rig?.stop();
  });

  const node = async (): Promise<NodeAnswer> =>
    (await fleet.api.get<NodeAnswer>(`/api/v1/nodes/${fleet.node.host}`)).body;
  const keyIdOfNode = async (): Promise<string> => {
    const made = [...(await fleet.node.log()).matchAll(/"key_id":"([\w-]{43})"/g)];
    return made.at(-1)?.[1] ?? 'none was logged';
  };
  const nodeKnown = (what: string, known: (answer: NodeAnswer) => boolean): Promise<unknown> =>
    waitFor(async () => known(await node()), { ...SOON, what });
  const ask = (action: 'mount' | 'unmount', request: Record<string, unknown>) =>
    fleet.api.post(`/api/v1/${action}`, request);
  const isMounted = (target: S3Target): boolean => mountsBelow(join(fleet.node.base, target.id)).length > 0;
  const clientLog = (): Promise<string> => fleet.clients[0].log();

  it('is in nobody’s sight while its request waits for a node that stands still, and is used then', async () => {
    const target = await fleet.targets.s3('sealed');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const token = String(request.keystone_token);
    fleet.node.signal('SIGSTOP');
    let answer: ReturnType<typeof ask>;
    try {
      answer = ask('mount', request);
      const commands = await waitFor(() => tap.commands(fleet.node.host, 'mount')[0], {
        ...SOON,
        what: 'the command to be published',
      });
      expect(commands.body).toMatchObject({
        keystone_token: null,
        backup_target: { id: target.id },
        dms: { sealed_token: expect.stringMatching(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/) as unknown },
      });
    } finally {
      fleet.node.signal('SIGCONT');
    }
    expect((await answer).body.status).toBe('success');
    expect(isMounted(target)).toBe(true);
    expect((await ask('unmount', request)).body).toMatchObject({ unmounted: true });
    expect(tap.hasHeard(token)).toBe(false);
    expect(await clientLog()).not.toContain(token);
    expect(await fleet.node.log()).not.toContain(token);

    // A Python server's token shows that a token in clear would be found.
    const python = new PythonNode(fleet.brokerUrl, `python-${randomUUID().slice(0, 8)}`);
    await python.start();
    try {
      const plain = await fleet.targets.request(python.host, 1, target);
      expect((await ask('mount', plain)).body.status).toBe('success');
      await waitFor(() => tap.hasHeard(String(plain.keystone_token)), { ...SOON, what: 'a token in clear' });
      await ask('unmount', plain);
    } finally {
      await python.stop();
    }
  }, 120_000);

  it('lies in none of the broker’s files, also when it goes down with the request', async () => {
    const target = await fleet.targets.s3('on-disk');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const canary = randomUUID();
    fleet.node.signal('SIGSTOP');
    try {
      const answer = ask('mount', request);
      await waitFor(
        () =>
          tap.commands(fleet.node.host, 'mount').some(({ body }) => JSON.stringify(body).includes(target.id)),
        { ...SOON, what: 'the command to be published' },
      );
      await tap.off();
      const canaries = await Wiretap.on(rig.broker);
      await canaries.leave(canary);
      await canaries.off();
      await rig.broker.stop();
      expect(await filesWith(canary, rig.broker.dataDirectory)).not.toEqual([]);
      expect(await filesWith(String(request.keystone_token), rig.broker.dataDirectory)).toEqual([]);
      expect((await answer).status).toBe(504);
    } finally {
      fleet.node.signal('SIGCONT');
      await rig.broker.start();
    }
    await waitFor(async () => (await fleet.node.ready()) && (await fleet.clients[0].ready()), {
      timeoutMs: 60_000,
      what: 'server and client to be ready again',
    });
    tap = await Wiretap.on(rig.broker);
    await nodeKnown('a hello', ({ state }) => state === 'up');
  }, 150_000);

  it('is sealed by a command that has heard no hello', async () => {
    const target = await fleet.targets.s3('command');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    const env = { ...fleet.clients[0].environment, KEYSTONE_TOKEN: String(request.keystone_token) };
    const run = (action: string) =>
      promisify(execFile)(
        process.execPath,
        [
          ...[PROGRAMS.cli, action, '--job-id', '1', '--host', fleet.node.host, '--target-id', target.id],
          ...['--target-type', 's3', '--secret-ref', target.secretRef],
        ],
        { env },
      );
    await run('mount');
    expect(isMounted(target)).toBe(true);
    await run('unmount');
    expect(tap.hasHeard(String(request.keystone_token))).toBe(false);
  }, 60_000);

  it('is sealed to no key that somebody else publishes in the node’s name', async () => {
    const before = await node();
    expect(before.key_id).toBe(await keyIdOfNode());
    const [encryption, signing] = [await makeKeyPair('X25519'), await makeKeyPair('Ed25519')];
    const address = `hello.${fleet.node.host}`;
    const forged = {
      ...{ node: fleet.node.host, incarnation: before.incarnation, boot_id: before.boot_id, protocol: 1 },
      ...{ version: '0.1.0', bases: ['/elsewhere'], mount_table_version: 1 },
      ...{ public_key: encryption.publicKey, signing_key: signing.publicKey },
    };
    const content = Buffer.from(JSON.stringify(forged));
    const message = { kind: 'announcement', address, content, replyTo: null, correlationId: null } as const;
    const headers = { [SIGNATURE_HEADER]: await signMessage(message, signing, 6_000) };
    await tap.publish('dms.events', address, content, { headers });
    await nodeKnown('the key to be refused', ({ refused_key_id: id }) => id === signing.publicKey.kid);
    expect((await node()).key_id).toBe(before.key_id);
    expect(await clientLog()).toContain('Somebody may pose as it');

    // Without a key, and with the node's keys but not signed by it: neither is the node.
    const keyless = { ...forged, public_key: null, signing_key: null };
    await tap.publish('dms.events', address, Buffer.from(JSON.stringify(keyless)));
    await nodeKnown('the hello without a key to be refused', ({ refused_key_id: id }) => id === 'none');

    const { encryption: sealing, signing: own } = JSON.parse(
      await readFile(join(fleet.node.runDirectory, 'keys.json'), 'utf8'),
    ) as Record<string, JsonWebKey>;
    const stolen = {
      ...forged,
      public_key: (await keyPairOf(sealing, 'X25519')).publicKey,
      signing_key: (await keyPairOf(own, 'Ed25519')).publicKey,
    };
    await tap.publish('dms.events', address, Buffer.from(JSON.stringify(stolen)), { headers });
    await waitFor(
      async () => (await clientLog()).includes('is refused: it is signed with a key that is not'),
      {
        ...SOON,
        what: 'the hello of another signer to be refused',
      },
    );
    expect((await node()).incarnation).toBe(before.incarnation);

    const target = await fleet.targets.s3('posed');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    expect((await ask('mount', request)).body.status).toBe('success');
    expect(isMounted(target)).toBe(true);
    await ask('unmount', request);
  }, 60_000);

  it('is sent in clear to nobody where that is forbidden', async () => {
    const python = new PythonNode(fleet.brokerUrl, `python-${randomUUID().slice(0, 8)}`);
    const client = fleet.addClient({ DMS_PLAIN_TOKENS: 'never' });
    await Promise.all([python.start(), client.start()]);
    try {
      const target = await fleet.targets.s3('never');
      const plain = await fleet.targets.request(python.host, 1, target);
      const answer = await client.api.post('/api/v1/mount', plain);
      expect({ status: answer.status, code: answer.body.error_code }).toEqual({
        status: 403,
        code: 'FORBIDDEN',
      });
      expect(answer.body.error_msg).toContain('DMS_PLAIN_TOKENS');
      expect(python.requests.filter(({ action }) => action === 'mount')).toEqual([]);
      expect(tap.hasHeard(String(plain.keystone_token))).toBe(false);
      expect(await client.log()).not.toContain(String(plain.keystone_token));
      // What needs no token is done there as ever, and a node with a key gets its token.
      const nfs = { type: 'nfs', filesystem_export: '127.0.0.1:/export', secret_ref: null };
      const nfsMount = { ...plain, backup_target: { ...(plain.backup_target as object), id: 'nfs', ...nfs } };
      expect((await client.api.post('/api/v1/mount', nfsMount)).body).toMatchObject({ status: 'success' });
      const sealed = await fleet.targets.request(fleet.node.host, 1, target);
      expect((await client.api.post('/api/v1/mount', sealed)).body).toMatchObject({ status: 'success' });
      expect((await client.api.post('/api/v1/unmount', sealed)).body).toMatchObject({ unmounted: true });
      for (const request of [plain, sealed]) expect(tap.hasHeard(String(request.keystone_token))).toBe(false);
    } finally {
      await client.stop();
      await python.stop();
    }
  }, 60_000);

  it('an event that the node has not signed is dropped', async () => {
    const { incarnation } = await node();
    const event = {
      ...{ event: 'vanished', node: fleet.node.host, incarnation, epoch: 1, mnt_id: 1 },
      ...{ backup_target_id: 't', mount_path: '/t', at: new Date().toISOString() },
    };
    await tap.publish('dms.events', `event.vanished.${fleet.node.host}`, Buffer.from(JSON.stringify(event)));
    await waitFor(async () => (await clientLog()).includes('has not signed it'), {
      ...SOON,
      what: 'the event to be dropped',
    });
  });

  it('keys that change within a memory are refused until an operator accepts them', async () => {
    const before = await node();
    await fleet.node.stop();
    await rm(join(fleet.node.runDirectory, 'keys.json'));
    await fleet.node.start();
    const keyId = await keyIdOfNode();
    expect(keyId).not.toBe(before.key_id);
    await nodeKnown('the new key to be refused', ({ refused_key_id: id }) => id === keyId);
    expect(await node()).toMatchObject({ key_id: before.key_id, incarnation: before.incarnation });
    const target = await fleet.targets.s3('changed');
    const request = await fleet.targets.request(fleet.node.host, 1, target);
    expect((await ask('mount', request)).body).toMatchObject({ status: 'error', error_code: 'FORBIDDEN' });
    expect(isMounted(target)).toBe(false);

    const { environment } = fleet.clients[0];
    const args = [PROGRAMS.cli, 'nodes', fleet.node.host, '--accept-key', keyId];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: environment });
    expect(stdout).toContain(keyId);
    await nodeKnown('the node to be up', ({ state, key_id: id }) => state === 'up' && id === keyId);
    await waitFor(async () => (await ask('mount', request)).body.status === 'success', {
      ...SOON,
      what: 'the key to be used',
    });
    await ask('unmount', request);
    expect(tap.hasHeard(String(request.keystone_token))).toBe(false);
  }, 90_000);

  it('new keys of a new memory are trusted, and a warning says so', async () => {
    const before = await node();
    await fleet.node.stop();
    await rm(join(fleet.node.runDirectory, 'node.json'));
    await fleet.node.start();
    const keyId = await keyIdOfNode();
    await nodeKnown('the new key to be pinned', ({ state, key_id: id }) => state === 'up' && id === keyId);
    expect((await node()).incarnation).not.toBe(before.incarnation);
    expect(await clientLog()).toContain('the memory of the node is a new one');
    expect(JSON.parse(await readFile(join(fleet.node.runDirectory, 'keys.json'), 'utf8'))).toMatchObject({
      incarnation: (await node()).incarnation,
    });
  }, 60_000);
});
