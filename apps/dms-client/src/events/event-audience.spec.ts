import { type StateEventDto } from '@app/contracts';
import { type DataSource } from 'typeorm';
import { EventAudienceService } from './event-audience.service';

function event(change: Partial<StateEventDto>): StateEventDto {
  return {
    kind: 'mounted',
    host: 'h',
    backup_target_id: 't',
    jobids: [],
    operation: null,
    ...change,
  } as StateEventDto;
}

describe('what a project is told of an event', () => {
  let statements: string[];
  let rows: object[];
  let audience: EventAudienceService;

  beforeEach(() => {
    statements = [];
    const query = (sql: string): Promise<object[]> => Promise.resolve(statements.push(sql) > 0 ? rows : []);
    audience = new EventAudienceService({ query } as unknown as DataSource);
  });

  it('is of its own jobs, which are looked up once for all subscribers', async () => {
    rows = [
      { jobid: '1', projectId: 'one' },
      { jobid: '2', projectId: 'two' },
    ];
    const lost = event({ kind: 'lost', jobids: [1, 2, 3] });
    expect(await audience.seenBy('one', lost)).toMatchObject({ kind: 'lost', jobids: [1] });
    expect(await audience.seenBy('two', lost)).toMatchObject({ jobids: [2] });
    expect(await audience.seenBy('three', lost)).toBeNull();
    expect(statements).toHaveLength(1);
  });

  it('is of its own operations', async () => {
    rows = [{ projectId: 'one' }];
    const ended = event({
      jobids: [1],
      operation: { id: 'o', action: 'mount', status: 'error', error_code: null, request_id: null },
    });
    expect(await audience.seenBy('one', ended)).toBe(ended);
    expect(await audience.seenBy('two', ended)).toBeNull();
  });

  it('is of its own mount, where nobody holds it any more', async () => {
    rows = [{ projectId: 'one' }];
    expect(await audience.seenBy('one', event({ kind: 'unmounted' }))).toMatchObject({ kind: 'unmounted' });
    expect(await audience.seenBy('two', event({ kind: 'unmounted' }))).toBeNull();
    rows = [];
    expect(await audience.seenBy('one', event({ kind: 'unmounted' }))).toBeNull();
  });
});
