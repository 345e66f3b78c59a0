import { DmsError } from '@app/contracts';
import { type ClientSettings } from '../settings/client.settings';

/**
 * Counts the requests that this process works on, in all and for each project: also those whose callers have hung up, or
 * wait for no answer.
 */
export class RequestsUnderWay {
  #inAll = 0;
  readonly #ofProject = new Map<string, number>();

  constructor(private readonly settings: Pick<ClientSettings, 'maxRequests' | 'maxCallerRequests'>) {}

  /**
   * Counts one.
   *
   * @param projectId null: it is of a caller that may see all projects
   * @returns what says that it has ended; to be called once
   * @throws DmsError RATE_LIMITED
   */
  begin(projectId: string | null): () => void {
    const { maxRequests, maxCallerRequests } = this.settings;
    const ofProject = this.#ofProject.get(projectId ?? '') ?? 0;
    if (this.#inAll >= maxRequests) throw tooMany(`The service works on ${maxRequests} requests already`);
    if (projectId !== null && ofProject >= maxCallerRequests)
      throw tooMany(`${maxCallerRequests} requests of this project are under way already`);
    this.#inAll += 1;
    this.#ofProject.set(projectId ?? '', ofProject + 1);
    return () => {
      this.#inAll -= 1;
      const left = (this.#ofProject.get(projectId ?? '') ?? 1) - 1;
      if (left > 0) this.#ofProject.set(projectId ?? '', left);
      else this.#ofProject.delete(projectId ?? '');
    };
  }
}

function tooMany(what: string): DmsError {
  return new DmsError('RATE_LIMITED', `${what}; try again in 1 s`, { details: { retry_after_s: 1 } });
}
