import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asNodeEvent } from './event';
import { helloRoutingKey, nodeEventRoutingKey, nodeQueue, stateEventRoutingKey } from './names';
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
