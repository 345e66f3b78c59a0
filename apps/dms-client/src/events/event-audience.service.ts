import { Injectable } from '@nestjs/common';
import { type StateEventDto } from '@app/contracts';
import { DataSource } from 'typeorm';
import { queryLedger } from '../queries/query-ledger';

/** For which projects an event is. */
interface Audience {
  /** By job; a job that is not in it is of no known project. */
  readonly ofJobs: ReadonlyMap<number, string>;
  /** What the event as a whole is about: the operation, or the mount. */
  readonly ofSubject: string | null;
}

interface JobRow {
  readonly jobid: unknown;
  readonly projectId: string | null;
}

/** Finds out what of an event a project may be told. */
@Injectable()
export class EventAudienceService {
  /** One look for all subscribers of an event. */
  readonly #audiences = new WeakMap<StateEventDto, Promise<Audience>>();

  constructor(private readonly dataSource: DataSource) {}

  /**
   * The event with the jobs of the project alone; null where it does not concern the project.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async seenBy(projectId: string, event: StateEventDto): Promise<StateEventDto | null> {
    const audience = this.#audiences.get(event) ?? this.#find(event);
    this.#audiences.set(event, audience);
    const { ofJobs, ofSubject } = await audience;
    if (event.operation !== null) return ofSubject === projectId ? event : null;
    const jobids = event.jobids.filter((jobid) => ofJobs.get(jobid) === projectId);
    const isOfAll = event.jobids.length === 0 && ofSubject === projectId;
    return jobids.length > 0 || isOfAll ? { ...event, jobids } : null;
  }

  async #find({ host, backup_target_id, jobids, operation }: StateEventDto): Promise<Audience> {
    if (operation !== null) {
      return {
        ofJobs: new Map(),
        ofSubject: await this.#projectOf('mount_operations WHERE id = ?', [operation.id]),
      };
    }
    const target = [host, backup_target_id];
    const where = 'host = ? AND backup_target_id = ?';
    if (jobids.length === 0) {
      return { ofJobs: new Map(), ofSubject: await this.#projectOf(`target_mounts WHERE ${where}`, target) };
    }
    const rows = await queryLedger<JobRow>(
      this.dataSource,
      `SELECT jobid, project_id AS projectId FROM backup_target_mount_ledger
       WHERE ${where} AND jobid IN (?) AND project_id IS NOT NULL`,
      [...target, jobids],
    );
    return {
      ofJobs: new Map(rows.map(({ jobid, projectId }) => [Number(jobid), String(projectId)])),
      ofSubject: null,
    };
  }

  async #projectOf(where: string, parameters: readonly string[]): Promise<string | null> {
    const rows = await queryLedger<{ projectId: string | null }>(
      this.dataSource,
      `SELECT project_id AS projectId FROM ${where}`,
      parameters,
    );
    return rows.at(0)?.projectId ?? null;
  }
}
