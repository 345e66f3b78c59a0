import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asNodeEvent } from './event';
import {
  helloRoutingKey,
  isCommandQueueOf,
  newCommandQueue,
  nodeClaimQueue,
  nodeEventRoutingKey,
  nodeQueue,
  stateEventRoutingKey,
} from './names';
import { asStateEvent } from './state-event.dto';

function golden(name: string): Record<string, unknown> {
  const path = join(__dirname, `../../golden/${name}.json`);
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

describe.each([
  ['event of a node', 'event', asNodeEvent],
  ['event of a change', 'state-event', asStateEvent],
])('an %s', (_, name, parse) => {
  it('is read as the golden file has it, without what is not known', () => {
    expect(parse({ ...golden(name), token: 'x' })).toEqual(golden(name));
  });

  it.each(Object.keys(golden(name)))('is none without a right "%s"', (field) => {
    const { [field]: _removed, ...others } = golden(name);
    expect(parse(others)).toBeNull();
    expect(parse({ ...others, [field]: { of: 'another type' } })).toBeNull();
  });

  it.each([null, 7, 'text', [], {}])('is not %j', (value) => {
    expect(parse(value)).toBeNull();
  });
});

it.each(['.hidden', 'a/b', ''])('no event tells of a target called %j', (backup_target_id) => {
  expect(asNodeEvent({ ...golden('event'), backup_target_id })).toBeNull();
  expect(asStateEvent({ ...golden('state-event'), backup_target_id })).toBeNull();
});

it.each(['a\nb', 'a\r\ndata: {}', 'x'.repeat(1_000), ''])('no event has %j in one of its texts', (text) => {
  for (const field of ['node', 'incarnation', 'backup_target_id', 'mount_path', 'at'])
    expect(
      asNodeEvent({ ...golden('event'), [field]: field === 'mount_path' ? `/${text}/x` : text }),
    ).toBeNull();
  for (const field of ['id', 'host', 'backup_target_id', 'mount_path', 'at'])
    expect(
      asStateEvent({ ...golden('state-event'), [field]: field === 'mount_path' ? `/${text}/x` : text }),
    ).toBeNull();
  const { operation } = golden('state-event') as { operation: object };
  for (const field of ['id', 'error_code'])
    expect(asStateEvent({ ...golden('state-event'), operation: { ...operation, [field]: text } })).toBeNull();
});

describe('the name of a command queue', () => {
  it('is a new one for each connection, and shows whose queue it is', () => {
    const [one, other] = [newCommandQueue('compute-01'), newCommandQueue('compute-01')];
    expect(one).toMatch(/^dms\.compute-01\.[0-9a-f]{32}$/);
    expect(other).not.toBe(one);
    expect(isCommandQueueOf('compute-01', one)).toBe(true);
  });

  it('is never taken for a queue of another node, also if a name has dots', () => {
    const digits = 'a'.repeat(32);
    expect(isCommandQueueOf('a', `dms.a.b.${digits}`)).toBe(false);
    expect(isCommandQueueOf('a.b', `dms.a.${digits}`)).toBe(false);
    expect(isCommandQueueOf('a', 'dms.a.b')).toBe(false);
    expect(isCommandQueueOf('a', 'dms.a')).toBe(false);
    expect(isCommandQueueOf('a', nodeClaimQueue('a'))).toBe(false);
    expect(nodeClaimQueue('a')).toMatch(/^dms\.a\.[0-9a-f]{32}$/);
    expect(isCommandQueueOf('a', `amq.a.${digits}`)).toBe(false);
  });

  it.each(['h'.repeat(251), 'h'.repeat(219), 'h'.repeat(218), 'é'.repeat(125)])(
    'fits into AMQP with a host as long as %s',
    (host) => {
      const queue = newCommandQueue(host);
      expect(Buffer.byteLength(queue)).toBeLessThanOrEqual(255);
      expect(isCommandQueueOf(host, queue)).toBe(true);
      expect(isCommandQueueOf(`${host.slice(0, -1)}x`, queue)).toBe(false);
    },
  );
});

describe('what is published about a node', () => {
  it('has its name in the routing key', () => {
    expect(helloRoutingKey('compute-01')).toBe('hello.compute-01');
    expect(nodeEventRoutingKey('broken', 'compute-01')).toBe('event.broken.compute-01');
    expect(stateEventRoutingKey('operation_begun', 'compute-01')).toBe('state.operation_begun.compute-01');
  });

  it.each(['h'.repeat(251), 'é'.repeat(125)])('fits into AMQP with a name as long as %s', (host) => {
    const keys = [helloRoutingKey, nodeEventRoutingKey.bind(null, 'unmounted'), stateEventRoutingKey.bind(null, 'operation_begun')]; // prettier-ignore
    const texts = keys.map((keyOf) => [keyOf(host), keyOf(`${host.slice(0, -1)}x`)]);
    for (const text of [nodeQueue(host), ...texts.flat()])
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(255);
    expect(new Set(texts.flat()).size).toBe(6);
  });
});
