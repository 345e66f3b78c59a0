import { type NodeEvent } from '@app/contracts';
import { MountReports } from './mount-reports';

const EVENT: NodeEvent = {
  event: 'broken',
  node: 'h',
  incarnation: 'i',
  epoch: 3,
  mnt_id: 7,
  backup_target_id: 't',
  mount_path: '/base/t',
  at: '2026-01-01T00:00:00.000Z',
};
const KEY = { host: 'h', targetId: 't' };

describe('what nodes report of mounts', () => {
  it.each(['broken', 'vanished'] as const)('"%s" counts for that mount only', (event) => {
    const reports = new MountReports();
    reports.note({ ...EVENT, event });
    expect(reports.of(KEY, 3, 7)).toMatchObject({ event });
    expect(reports.of(KEY, 3)).toMatchObject({ event });
    expect([reports.of(KEY, 4, 7), reports.of(KEY, 3, 8), reports.of(KEY, 3, null)]).toEqual([
      null,
      null,
      null,
    ]);
    expect(reports.of({ ...KEY, host: 'other' }, 3, 7)).toBeNull();
  });

  it.each(['mounted', 'unmounted'] as const)('is taken back by "%s"', (event) => {
    const reports = new MountReports();
    reports.note(EVENT);
    reports.note({ ...EVENT, event });
    expect(reports.of(KEY, 3, 7)).toBeNull();
  });

  it('is shared: a node that reports without end takes nothing from others', () => {
    const reports = new MountReports();
    reports.note(EVENT);
    for (let index = 0; index <= 10_000; index += 1)
      reports.note({ ...EVENT, node: 'loud', backup_target_id: `t${index}` });
    expect(reports.of(KEY, 3)).not.toBeNull();
    expect(reports.of({ host: 'loud', targetId: 't0' }, 3)).toBeNull();
  });

  it('is bounded: of too many targets the oldest report is forgotten', () => {
    const reports = new MountReports();
    for (let index = 0; index <= 10_000; index += 1)
      reports.note({ ...EVENT, backup_target_id: `t${index}` });
    expect(reports.of({ host: 'h', targetId: 't0' }, 3)).toBeNull();
    expect(reports.of({ host: 'h', targetId: 't1' }, 3)).not.toBeNull();
    expect(reports.of({ host: 'h', targetId: 't10000' }, 3)).not.toBeNull();
  });
});
