import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { fileNameOf } from '@app/contracts';
import { FileFenceMemory } from './fence-memory.repository';
import { FenceService } from './fence.service';
import { emptyRecord, type TargetRecord } from './target-record';

const BOOT = 'boot-1';
Logger.overrideLogger(false);

describe('FileFenceMemory', () => {
  let runDir: string;
  const open = (bootId = BOOT): FileFenceMemory => new FileFenceMemory(runDir, bootId);

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'dms-fence-'));
  });

  afterEach(() => {
    rmSync(runDir, { recursive: true, force: true });
  });

  it('remembers records and its incarnation across restarts', () => {
    const before = open();
    const record = { ...emptyRecord('t1'), epoch: 5, operationId: 'op' };
    before.save(record);
    const after = open();
    expect(after.incarnation).toBe(before.incarnation);
    expect(after.get('t1')).toEqual(record);
    expect(after.problem()).toBeNull();
  });

  it('refuses a new target where it has room for no more, and serves those that it knows', () => {
    const memory = new FileFenceMemory(runDir, BOOT, 2);
    for (const id of ['t1', 't2']) memory.save(emptyRecord(id));
    expect(() => memory.save(emptyRecord('t3'))).toThrow('takes no further one');
    memory.save({ ...emptyRecord('t1'), epoch: 7 });
    expect(
      open()
        .all()
        .map(({ targetId }) => targetId)
        .sort(),
    ).toEqual(['t1', 't2']);
    expect(memory.get('t1')?.epoch).toBe(7);
  });

  describe('that is full', () => {
    const outcome = {
      status: 'error',
      error_code: 'MOUNT_FAILED',
      error_msg: 'no',
      success_msg: null,
    } as const;
    const ended = (id: string): TargetRecord => ({ ...emptyRecord(id), epoch: 7, outcome });
    const mountedAs = {
      ...{ type: 'nfs' as const, source: 'server:/export', mountPath: '/mnt/t', readOnly: false },
      ...{ mntId: 7, device: '0:7', fstype: 'nfs4' },
    };
    const left: [string, Partial<TargetRecord>][] = [
      ['mounted', { mountedAs }],
      ['held by a Python program', { legacyHolders: [{ id: 'a', jobid: 7, since: 1 }] }],
      ['held', { epochHolder: true }],
      ['not flushed', { flushProblem: 'no space' }],
      ['worked on when the server ended', { outcome: null }],
    ];

    it('forgets what has ended under a new incarnation, and keeps whatever is left of the others', () => {
      const memory = new FileFenceMemory(runDir, BOOT, left.length + 1);
      for (const [id, changes] of left) memory.save({ ...ended(id), ...changes });
      memory.save(ended('gone'));
      const { incarnation, memoryId } = memory;
      const service = new FenceService(memory);
      const envelope = (): Parameters<FenceService['admit']>[1] => ({
        ...{ protocol: 1, incarnation: memory.incarnation, epoch: 1, deadline_ms: 1_000 },
        operation_id: '00000000-0000-4000-8000-000000000001',
      });
      expect(() => service.admit('new', envelope(), true)).toThrow('takes no further one');
      expect(memory.incarnation).toBe(incarnation);

      expect(service.admit('new', envelope())).toBe('stale');
      expect(memory.incarnation).not.toBe(incarnation);
      expect(memory.memoryId).toBe(memoryId);
      expect(service.admit('new', envelope())).toBe('proceed');
      const known = [...left.map(([id]) => id), 'new'].sort();
      for (const one of [memory, open()]) {
        expect(
          one
            .all()
            .map(({ targetId }) => targetId)
            .sort(),
        ).toEqual(known);
        expect(one.get('mounted')?.epoch).toBe(7);
      }
    });

    it('does not change its incarnation for a few', () => {
      const memory = new FileFenceMemory(runDir, BOOT, 21);
      for (let index = 0; index < 20; index += 1) memory.save({ ...ended(`t${index}`), epochHolder: true });
      memory.save(ended('gone'));
      const { incarnation } = memory;
      expect(memory.makeRoom()).toBe(false);
      expect(memory.incarnation).toBe(incarnation);
      expect(memory.get('gone')).not.toBeNull();
    });
  });

  it.each([
    ['a reboot', () => undefined, 'boot-2'],
    ['a lost node.json', (): void => rmSync(join(runDir, 'node.json')), BOOT],
    ['a torn node.json', (): void => writeFileSync(join(runDir, 'node.json'), '{"incar'), BOOT],
    [
      'a torn record',
      (): void => writeFileSync(join(runDir, 'targets', 't1.json'), '{"targetId":"t1"'),
      BOOT,
    ],
    ['a record of another shape', (): void => writeFileSync(join(runDir, 'targets', 't1.json'), '{}'), BOOT],
  ])('begins a new incarnation without records after %s', (_what, damage, bootId) => {
    const before = open();
    before.save({ ...emptyRecord('t1'), epoch: 5 });
    damage();
    const after = open(bootId);
    expect(after.incarnation).not.toBe(before.incarnation);
    expect(after.all()).toEqual([]);
    expect(readdirSync(join(runDir, 'targets'))).toEqual([]);
    expect(open(bootId).incarnation).toBe(after.incarnation);
  });

  it('reads what an earlier version wrote of Python programs, and writes it for one', () => {
    const before = open();
    before.save({ ...emptyRecord('t1'), legacyHolders: [{ id: 'a', jobid: 7, since: 1 }] });
    expect(open().get('t1')?.legacyHolders).toEqual([{ id: 'a', jobid: 7, since: 1 }]);
    const file = join(runDir, 'targets', 't1.json');
    const { legacyHolders: _, ...earlier } = JSON.parse(readFileSync(file, 'utf8')) as Record<
      string,
      unknown
    >;
    expect(earlier).toMatchObject({ legacyHolder: true });
    writeFileSync(file, JSON.stringify(earlier));
    expect(open().get('t1')?.legacyHolders).toMatchObject([{ jobid: null }]);
    expect(open().incarnation).toBe(before.incarnation);
  });

  it('passes over a file that was being written when the server died', () => {
    const before = open();
    writeFileSync(join(runDir, 'targets', 't1.json.tmp'), '{"half');
    expect(open().incarnation).toBe(before.incarnation);
    expect(readdirSync(join(runDir, 'targets'))).toEqual([]);
  });

  it('keeps targets apart of which one is called as the hash of the other', () => {
    const memory = open();
    const long = 'x'.repeat(250);
    memory.save(emptyRecord(long));
    expect(() => {
      memory.save(emptyRecord(fileNameOf(long)));
    }).toThrow(/file name of another target/);
  });

  it('refuses, and remembers nothing, where it cannot be written', () => {
    const memory = open();
    rmSync(join(runDir, 'targets'), { recursive: true });
    expect(() => {
      memory.save({ ...emptyRecord('t1'), epoch: 1 });
    }).toThrow(/cannot be written/);
    expect(memory.get('t1')).toBeNull();
    expect(memory.problem()).not.toBeNull();
  });

  describe('FenceService', () => {
    const operation = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`;
    const envelope = (service: FenceService, epoch: number, n: number, incarnation?: string | null) => ({
      protocol: 1,
      incarnation: incarnation === undefined ? service.incarnation : incarnation,
      epoch,
      operation_id: operation(n),
      deadline_ms: 1000,
    });

    it('lets an epoch through once, for one operation', () => {
      const service = new FenceService(open());
      expect(service.admit('t1', envelope(service, 3, 1))).toBe('proceed');
      expect(service.admit('t1', envelope(service, 3, 1))).toBe('repeat');
      expect(service.admit('t1', envelope(service, 3, 2))).toBe('stale');
      expect(service.admit('t1', envelope(service, 2, 3))).toBe('stale');
      expect(service.admit('t1', envelope(service, 4, 4))).toBe('proceed');
      expect(service.admit('t2', envelope(service, 1, 5))).toBe('proceed');
    });

    it('remembers an epoch on receipt', () => {
      const service = new FenceService(open());
      service.admit('t1', envelope(service, 3, 1));
      const text = readFileSync(join(runDir, 'targets', 't1.json'), 'utf8');
      expect(JSON.parse(text)).toMatchObject({ epoch: 3, operationId: operation(1), outcome: null });
    });

    it('takes a command of another or of no incarnation for stale, and epoch 0 too', () => {
      const service = new FenceService(open());
      expect(service.admit('t1', envelope(service, 3, 1, 'another'))).toBe('stale');
      expect(service.admit('t1', envelope(service, 3, 1, null))).toBe('stale');
      expect(service.admit('t1', envelope(service, 0, 1))).toBe('stale');
    });

    describe('and ledgers', () => {
      const ours = (service: FenceService, epoch: number) => ({
        ...envelope(service, epoch, epoch),
        ledger: 'ours',
      });
      const theirs = (service: FenceService, epoch: number) => ({
        ...envelope(service, epoch, epoch),
        ledger: 'theirs',
      });
      const mountedAs = {
        type: 'nfs' as const,
        ...{ source: 'server:/export', mountPath: '/srv/t1', readOnly: false },
        ...{ mntId: null, device: null, fstype: null },
      };

      it('serves the first one that comes, also after a restart, and others not while it has mounts', () => {
        const service = new FenceService(open());
        expect(service.admit('t1', ours(service, 1))).toBe('proceed');
        expect(service.servedLedger).toBeNull();
        service.remember('t1', { mountedAs });
        const { incarnation } = service;
        for (const again of [service, new FenceService(open())]) {
          expect(again.servedLedger).toBe('ours');
          expect(again.admit('t1', theirs(again, 9))).toBe('foreign');
          expect(again.admit('t2', theirs(again, 9))).toBe('foreign');
          expect(again.recordOf('t1').epoch).toBe(1);
          expect(again.incarnation).toBe(incarnation);
        }
        expect(service.admit('t1', ours(service, 2))).toBe('proceed');
      });

      it('refuses another one while anything is under way', () => {
        const service = new FenceService(open());
        service.admit('t1', ours(service, 1));
        expect(service.admit('t2', theirs(service, 9), true)).toBe('foreign');
      });

      it('lets another one in where nothing is left, under a new incarnation, for all that was sent before', () => {
        const service = new FenceService(open());
        service.admit('t1', ours(service, 1));
        const [late, { incarnation }] = [ours(service, 2), service];
        expect(service.admit('t1', theirs(service, 9))).toBe('stale');
        expect(service.incarnation).not.toBe(incarnation);
        expect(service.recordOf('t1').epoch).toBe(1);
        expect(service.admit('t1', late)).toBe('stale');
        expect(service.ledger).toBe('theirs');
        expect(service.admit('t1', theirs(service, 2))).toBe('proceed');
      });

      it('does not let one in by a command that was overtaken', () => {
        const service = new FenceService(open());
        service.admit('t1', ours(service, 1));
        expect(service.admit('t1', { ...theirs(service, 9), incarnation: 'another' })).toBe('stale');
        expect(service.ledger).toBe('ours');
      });

      it('obeys commands that name none as before', () => {
        const service = new FenceService(open());
        service.admit('t1', ours(service, 1));
        service.remember('t1', { mountedAs });
        expect(service.admit('t1', envelope(service, 2, 2))).toBe('proceed');
        expect(service.ledger).toBe('ours');
      });

      it('forgets one when it is told to, with all that was sent, and keeps mounts and keys', () => {
        const memory = open();
        const service = new FenceService(memory);
        service.admit('t1', ours(service, 1));
        service.remember('t1', { mountedAs });
        const { incarnation } = service;
        expect(service.forgetLedger()).toBe('ours');
        expect(service.forgetLedger()).toBeNull();
        expect(service.incarnation).not.toBe(incarnation);
        const after = open();
        expect(after).toMatchObject({
          incarnation: service.incarnation,
          ledger: null,
          memoryId: incarnation,
        });
        expect(after.get('t1')).toMatchObject({ epoch: 1, mountedAs });
        expect(after.problem()).toBeNull();
        expect(service.admit('t1', theirs(service, 2))).toBe('proceed');
        expect(open()).toMatchObject({ ledger: 'theirs', memoryId: incarnation });
      });

      it('knows none after a reboot', () => {
        const service = new FenceService(open());
        service.admit('t1', ours(service, 1));
        service.remember('t1', { mountedAs });
        expect(open('boot-2')).toMatchObject({ ledger: null });
      });
    });

    it('records an outcome only under the epoch that is still the last', () => {
      const service = new FenceService(open());
      const outcome = { status: 'success', error_code: null, error_msg: null, success_msg: 'done' } as const;
      service.admit('t1', envelope(service, 3, 1));
      service.admit('t1', envelope(service, 4, 2));
      service.settle('t1', envelope(service, 3, 1), outcome);
      expect(service.recordOf('t1').outcome).toBeNull();
      service.settle('t1', envelope(service, 4, 2), outcome);
      expect(service.recordOf('t1').outcome).toEqual(outcome);
    });
  });
});
