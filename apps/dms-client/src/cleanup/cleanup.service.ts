import { Injectable, Logger } from '@nestjs/common';
import { type CleanupResponseDto, DmsError, type ErrorDto, type StaleEntryDto } from '@app/contracts';
import { errorBody } from '@app/platform';
import { keyText, type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { MountsService } from '../mounts/mounts.service';
import { type CleanupRequestDto } from './cleanup.dto';
import { type StaleBinding, StaleBindingsRepository } from './stale-bindings.repository';

const PAGE = 500;
/** Entries and failures that an answer names at most. */
const NAMED = 1000;
const MS_PER_HOUR = 3_600_000;

interface Result {
  cleaned: number;
  readonly entries: StaleEntryDto[];
  readonly failed: ErrorDto[];
}

/** Removes bindings that nobody has touched for long. */
@Injectable()
export class CleanupService {
  readonly #log = new Logger(CleanupService.name);

  constructor(
    private readonly stale: StaleBindingsRepository,
    private readonly ledger: TargetLedger,
    private readonly mounts: MountsService,
  ) {}

  /**
   * Removes what was claimed, lost or released longer ago than `hours`; with `held` also what is held, by an unmount.
   * Each is looked at again under the lock of its target; a failure does not keep the others.
   *
   * @throws DmsError LEDGER_UNAVAILABLE where the bindings cannot be read; the first failure's code where some could
   *   not be removed, with `details` of what was and what was not
   */
  async cleanup({ hours, dry_run, held }: CleanupRequestDto): Promise<CleanupResponseDto> {
    const ageMs = hours * MS_PER_HOUR;
    const dryRun = dry_run ?? false;
    const result: Result = { cleaned: 0, entries: [], failed: [] };
    for (let afterId = 0; ;) {
      const page = await this.stale.find(ageMs, held ?? false, afterId, PAGE);
      for (const group of byTarget(page).values()) {
        const cleaned = dryRun ? group : await this.#clean(group, ageMs, result.failed);
        result.cleaned += cleaned.length;
        result.entries.push(...cleaned.map(({ entry }) => entry).slice(0, NAMED - result.entries.length));
      }
      if (page.length < PAGE) break;
      afterId = page[page.length - 1].id;
    }
    return responseOf(dryRun, result);
  }

  /** Cleans bindings of one target. @returns those that were removed */
  async #clean(group: readonly StaleBinding[], ageMs: number, failed: ErrorDto[]): Promise<StaleBinding[]> {
    const key = keyOf(group[0]);
    try {
      const released = await this.#unmountHeld(group, failed);
      const removed = await this.ledger.transaction(key, async ({ bindings }) => {
        const unheld = group.filter(({ entry }) => entry.state !== 'held').map(({ entry }) => entry.jobid);
        const unchanged = await bindings.unchangedFor(unheld, ageMs);
        const states = await bindings.ofJobs([...unchanged, ...released]);
        const removable = [...states.values()].filter(({ state }) => state !== 'held');
        const stale = removable.filter(
          ({ jobid, state }) => state !== 'claimed' || unchanged.includes(jobid),
        );
        await bindings.release(stale.filter(({ state }) => state !== 'released').map(({ jobid }) => jobid));
        await bindings.remove(stale.map(({ jobid }) => jobid));
        return new Set(stale.map(({ jobid }) => jobid));
      });
      if (removed.size > 0)
        this.#log.log({ msg: 'Stale bindings were removed', ...key, jobids: [...removed] });
      return group.filter(({ entry }) => removed.has(entry.jobid));
    } catch (thrown) {
      noteFailure(failed, thrown, { ...key });
      return [];
    }
  }

  /** Ends the holds by unmounts. @returns the jobs whose hold was ended */
  async #unmountHeld(group: readonly StaleBinding[], failed: ErrorDto[]): Promise<number[]> {
    const released: number[] = [];
    for (const { entry, type } of group.filter((stale) => stale.entry.state === 'held')) {
      const { jobid, host, backup_target_id } = entry;
      try {
        await this.mounts.unmount({
          job: { jobid },
          host,
          action: 'unmount',
          backup_target: { id: backup_target_id, type: type ?? 's3' },
        });
        released.push(jobid);
      } catch (thrown) {
        noteFailure(failed, thrown, { jobid, host, backup_target_id });
      }
    }
    return released;
  }
}

function noteFailure(failed: ErrorDto[], thrown: unknown, details: Record<string, unknown>): void {
  const error = errorBody(DmsError.from(thrown));
  failed.push({ ...error, details: { ...error.details, ...details } });
}

/** @throws DmsError with the first failure's code, which also tells what was removed */
function responseOf(dryRun: boolean, { cleaned, entries, failed }: Result): CleanupResponseDto {
  const first = failed.at(0);
  if (first !== undefined) {
    const message = `${failed.length} removal(s) failed, ${cleaned} stale entries were removed; the first failure: ${first.error_msg}`;
    throw new DmsError(first.error_code, message, {
      details: { cleaned, entries, failed: failed.slice(0, NAMED) },
    });
  }
  return {
    status: 'success',
    error_msg: null,
    success_msg: `Cleaned up ${cleaned} stale entries${dryRun ? ' (dry run: none was touched)' : ''}`,
    dry_run: dryRun,
    cleaned,
    entries,
  };
}

function byTarget(page: readonly StaleBinding[]): Map<string, StaleBinding[]> {
  const groups = new Map<string, StaleBinding[]>();
  for (const stale of page) {
    const text = keyText(keyOf(stale));
    groups.set(text, [...(groups.get(text) ?? []), stale]);
  }
  return groups;
}

function keyOf({ entry }: StaleBinding): TargetKey {
  return { host: entry.host, targetId: entry.backup_target_id };
}
