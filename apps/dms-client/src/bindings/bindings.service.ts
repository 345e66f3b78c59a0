import { Injectable } from '@nestjs/common';
import {
  type BindingListDto,
  type BindingStatusDto,
  type DeleteBindingResponseDto,
  DmsError,
} from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { TargetLedger } from '../ledger/target-ledger';
import { DEFAULT_LIMIT } from '../queries/parameter.decorators';
import { BindingVerificationService } from './binding-verification.service';
import { type BindingsQueryDto } from './bindings.dto';
import { BindingsRepository, type BindingView } from './bindings.repository';

/** A host has at most one binding of a job to a target, so this many are several. */
const SEVERAL = 1000;

/** Which binding; `host` may be missing where the job is bound to the target on one host only. */
export interface BindingName {
  readonly jobid: number;
  readonly backup_target_id: string;
  readonly host?: string;
}

/**
 * Shows and takes out bindings. Those of other projects than the caller's are as if there were none. All throw DmsError
 * LEDGER_UNAVAILABLE.
 */
@Injectable()
export class BindingsService {
  constructor(
    private readonly bindings: BindingsRepository,
    private readonly ledger: TargetLedger,
    private readonly verification: BindingVerificationService,
  ) {}

  /** One page, oldest first. */
  async list(
    { limit = DEFAULT_LIMIT, cursor, ...filter }: BindingsQueryDto,
    scope: ProjectScope,
  ): Promise<BindingListDto> {
    const project_id = scope.projectId ?? undefined;
    const found = await this.bindings.find({ ...filter, project_id, afterId: cursor }, limit + 1);
    const page = found.slice(0, limit).map(({ binding }) => binding);
    const last = page.at(-1);
    return { bindings: page, next_cursor: found.length > limit && last ? String(last.id) : null };
  }

  /**
   * @param verify ask the node, too, what it sees
   * @throws DmsError NOT_FOUND; VALIDATION_FAILED where several hosts have such a binding and none is named
   */
  async get(name: BindingName, scope: ProjectScope, verify: boolean): Promise<BindingStatusDto> {
    const view = await this.#find(name, scope);
    if (!verify) return view.binding;
    return { ...view.binding, verified: await this.verification.verify(view) };
  }

  /**
   * Takes a binding that holds nothing out of the lists; its operations stay.
   *
   * @throws DmsError NOT_FOUND; VALIDATION_FAILED as {@link BindingsService.get}; CONFLICT where it is claimed or held
   */
  async remove(name: BindingName, scope: ProjectScope): Promise<DeleteBindingResponseDto> {
    const { host } = (await this.#find(name, scope)).binding;
    const { jobid, backup_target_id } = name;
    await this.ledger.transaction({ host, targetId: backup_target_id }, async ({ bindings }) => {
      if ((await bindings.remove([jobid])) === 1) return;
      const now = (await bindings.ofJobs([jobid])).get(jobid);
      if (now === undefined) throw notFound(name);
      throw new DmsError('CONFLICT', `The binding is ${now.state}: unmount the target for this job first`);
    });
    return {
      status: 'success',
      error_msg: null,
      success_msg: `The binding of job ${jobid} to target ${backup_target_id} on ${host} was deleted`,
      jobid,
      backup_target_id,
      host,
    };
  }

  async #find(name: BindingName, { projectId }: ProjectScope): Promise<BindingView> {
    const found = await this.bindings.find({ ...name, project_id: projectId ?? undefined }, SEVERAL);
    if (found.length === 0) throw notFound(name);
    if (found.length > 1) {
      const hosts = found.map(({ binding }) => binding.host).join(', ');
      const problem = `is required: the job is bound to this target on several hosts (${hosts})`;
      throw DmsError.validation([{ field: 'host', problem }]);
    }
    return found[0];
  }
}

function notFound({ jobid, backup_target_id, host }: BindingName): DmsError {
  const where = host === undefined ? '' : ` on host "${host}"`;
  return new DmsError('NOT_FOUND', `Job ${jobid} has no binding to target "${backup_target_id}"${where}`);
}
