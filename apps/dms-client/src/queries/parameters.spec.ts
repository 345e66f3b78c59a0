import { DmsError } from '@app/contracts';
import { BindingsQueryDto } from '../bindings/bindings.dto';
import { CleanupRequestDto } from '../cleanup/cleanup.dto';
import { OperationsQueryDto } from '../operations/operations.dto';
import { encodeCursor } from '../operations/operation-cursor';
import { parseParameters } from './parameters.pipe';

function problemsOf(parse: () => unknown): unknown {
  try {
    parse();
  } catch (error) {
    if (error instanceof DmsError) return error.details?.fields;
    throw error;
  }
  return [];
}

describe('parameters', () => {
  it('become values of their types', () => {
    const parsed = parseParameters(BindingsQueryDto, {
      jobid: '12',
      mounted: 'true',
      limit: '7',
      cursor: '0',
    });
    expect({ ...parsed }).toEqual({ jobid: 12, mounted: true, limit: 7, cursor: 0 });
  });

  it('have defaults', () => {
    expect({ ...parseParameters(BindingsQueryDto, {}) }).toEqual({ limit: 100 });
  });

  it.each([
    ['', true],
    ['True', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('take the flag "%s"', (text, value) => {
    expect(parseParameters(BindingsQueryDto, { mounted: text }).mounted).toBe(value);
  });

  it.each([
    ['limit', '0'],
    ['limit', '1001'],
    ['limit', '1.5'],
    ['limit', ' 1'],
    ['jobid', '-1'],
    ['jobid', '9007199254740993'],
    ['mounted', 'perhaps'],
    ['host', 'a/b'],
  ])('are refused by name: %s=%s', (field, value) => {
    expect(problemsOf(() => parseParameters(BindingsQueryDto, { [field]: value }))).toEqual([
      expect.objectContaining({ field }),
    ]);
  });

  it('are refused where they stand twice', () => {
    expect(problemsOf(() => parseParameters(BindingsQueryDto, { limit: ['1', '2'] }))).toHaveLength(1);
  });

  it('are refused where nobody knows them', () => {
    const parameters = JSON.parse('{"jobb": "1", "__proto__": "2", "constructor": "3"}') as object;
    expect(problemsOf(() => parseParameters(BindingsQueryDto, parameters))).toEqual(
      ['jobb', '__proto__', 'constructor'].map((field) => expect.objectContaining({ field }) as unknown),
    );
  });

  it('are refused in a cleanup, where a slip would remove something', () => {
    expect(problemsOf(() => parseParameters(CleanupRequestDto, { hours: 1, dryrun: true }))).toHaveLength(1);
    expect(problemsOf(() => parseParameters(CleanupRequestDto, { hours: 0 }))).toHaveLength(1);
    expect(problemsOf(() => parseParameters(CleanupRequestDto, { hours: '1' }))).toHaveLength(1);
    expect(problemsOf(() => parseParameters(CleanupRequestDto, { hours: 0.5, held: true }))).toEqual([]);
  });

  it.each([
    ['2026-11-21', '2026-11-21T00:00:00.000Z'],
    ['2026-11-21T10:00', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00.5Z', '2026-11-21T10:00:00.500Z'],
    ['2026-11-21T10:00:00+02:00', '2026-11-21T08:00:00.000Z'],
  ])('read the time %s', (text, iso) => {
    expect(parseParameters(OperationsQueryDto, { since: text }).since?.toISOString()).toBe(iso);
  });

  it.each(['yesterday', '2026-13-01', '21.11.2026', '1700000000'])('refuse the time %s', (text) => {
    expect(problemsOf(() => parseParameters(OperationsQueryDto, { until: text }))).toHaveLength(1);
  });

  it('take the cursor of a page of operations, and no other', () => {
    const cursor = encodeCursor({
      createdAt: '2026-11-21 10:00:00.123456',
      id: '7d1f5e0a-3c1b-4f0e-8a52-000000000001',
    });
    expect(parseParameters(OperationsQueryDto, { cursor }).cursor).toBe(cursor);
    expect(problemsOf(() => parseParameters(OperationsQueryDto, { cursor: '12' }))).toHaveLength(1);
  });
});
