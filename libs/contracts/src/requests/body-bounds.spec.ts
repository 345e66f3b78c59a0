import 'reflect-metadata';
import { BODY_BOUNDS, boundProblem } from './body-bounds';
import { parseTargetRequest } from './target-request.parser';

const REQUEST = {
  job: { jobid: 1 },
  host: 'compute-01',
  backup_target: { id: 't1', type: 'nfs', filesystem_export: 'server:/export' },
};
const wide = (keys: number): object =>
  Object.fromEntries(Array.from({ length: keys }, (_, index) => [`k${index}`, index]));
const deep = (levels: number): object => {
  let value: object = {};
  for (let level = 1; level < levels; level += 1) value = level % 2 === 0 ? { in: value } : [value];
  return value;
};
const withDetails = (data: unknown): object => ({
  ...REQUEST,
  job: { jobid: 1, job_details: [{ id: 1, data }] },
});

describe('a name that turns the order of a text', () => {
  it.each([
    ['backup_target.id', { backup_target: { ...REQUEST.backup_target, id: 'a\u202eb' } }],
    [
      'backup_target.filesystem_export',
      { backup_target: { ...REQUEST.backup_target, filesystem_export: 's:/a\u2066b' } },
    ],
    [
      'backup_target.filesystem_export_mount_path',
      { backup_target: { ...REQUEST.backup_target, filesystem_export_mount_path: '/base/a\u200fb' } },
    ],
    ['hold_id', { hold_id: 'a\u202ab' }],
  ])(
    'is refused for a mount as %s; what an older version mounted under it can be unmounted',
    (field, changes) => {
      expect(() => parseTargetRequest({ ...REQUEST, ...changes }, 'mount')).toThrow(`${field}: `);
      expect(parseTargetRequest({ ...REQUEST, ...changes }, 'unmount').host).toBe('compute-01');
    },
  );
});

describe('the body of a request', () => {
  it.each<[string, unknown, RegExp]>([
    ['80,000 keys in one object', wide(80_000), /at most 1000 keys in an object/],
    ['a list of 80,000', Array.from({ length: 80_000 }, () => 0), /at most 10000 elements in an array/],
    ['many in all', Array.from({ length: 60 }, () => wide(1_000)), /at most 50000 values in all of it/],
    [
      'many in all, of which most stand beside lists',
      [
        ...Array.from({ length: 5 }, () => Array.from({ length: 9_990 }, () => 0)),
        ...Array.from({ length: 9_000 }, () => 0),
      ],
      /at most 50000 values in all of it/,
    ],
    ['a text that is long', 'x'.repeat(70_000), /at most 65536 characters in a text/],
    ['a key that is long', { ['x'.repeat(70_000)]: 1 }, /at most 65536 characters in a key/],
    ['many levels', deep(5_000), /not be nested deeper than 100 levels/],
  ])('is refused with %s', (_what, data, words) => {
    expect(() => parseTargetRequest(withDetails(data), 'mount')).toThrow(words);
    expect(() => parseTargetRequest({ ...REQUEST, unknown_field: data }, 'mount')).toThrow(words);
  });

  it.each<[string, unknown]>([
    ['as many keys as one object may have', wide(BODY_BOUNDS.keys)],
    ['details of a thousand machines', Array.from({ length: 1_000 }, () => wide(20))],
    ['as many levels as there may be', deep(BODY_BOUNDS.levels - 4)],
  ])('is taken with %s', (_what, data) => {
    expect(parseTargetRequest(withDetails(data), 'mount').job.jobid).toBe(1);
  });

  /** How often a part of the body was looked at. */
  const looksAt = (body: object): number => {
    let looks = 0;
    const watched = (value: object): object =>
      new Proxy(value, {
        get: (target, key) => {
          looks += 1;
          const found: unknown = Reflect.get(target, key);
          return typeof found === 'object' && found !== null ? watched(found) : found;
        },
        ownKeys: (target) => {
          const keys = Reflect.ownKeys(target);
          looks += keys.length;
          return keys;
        },
      });
    boundProblem(watched(body));
    return looks;
  };

  it('costs work that grows with it and no faster, and stops at a bound', () => {
    for (const shape of [wide, (n: number) => Array.from({ length: n }, () => ({ a: [1] }))]) {
      for (const size of [50, 100, 200, 400]) {
        expect(looksAt(shape(2 * size))).toBeLessThanOrEqual(2.1 * looksAt(shape(size)));
      }
      expect(looksAt(shape(80_000))).toBeLessThanOrEqual(3 * 80_000);
    }
  });
});
