import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonsEndBecause } from './container';

describe('daemonsEndBecause', () => {
  const root = mkdtempSync(join(tmpdir(), 'dms-root-'));
  const machine = (name: string, pidNamespace: string | null, mark?: string): string => {
    const directory = join(root, name);
    for (const part of ['proc/self/ns', 'run']) mkdirSync(join(directory, part), { recursive: true });
    if (pidNamespace !== null) symlinkSync(pidNamespace, join(directory, 'proc/self/ns/pid'));
    if (mark !== undefined) writeFileSync(join(directory, mark), '');
    return directory;
  };
  afterAll(() => rmSync(root, { recursive: true }));

  it.each([
    ['nothing on a host', 'pid:[4026531836]', undefined, {}, null],
    ['nothing if the namespace cannot be read', null, undefined, {}, null],
    ['a PID namespace of its own', 'pid:[4026532201]', undefined, {}, 'in a PID namespace of its own'],
    [
      'a container of Docker with the PIDs of the host',
      'pid:[4026531836]',
      '.dockerenv',
      {},
      'in a container',
    ],
    ['a container of podman', 'pid:[4026532201]', 'run/.containerenv', {}, 'in a container'],
    [
      'a pod',
      'pid:[4026531836]',
      undefined,
      { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
      'in a pod of Kubernetes',
    ],
  ])('names %s', (name, pidNamespace, mark, env, expected) => {
    expect(daemonsEndBecause(env, machine(name, pidNamespace, mark))).toBe(expected);
  });
});
