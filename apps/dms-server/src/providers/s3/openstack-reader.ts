import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type HttpAnswer, HttpReader } from '@app/platform';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';

const MAX_BODY_BYTES = 64 * 1024;
const LONGEST_REQUEST_MS = 30_000;

/** Reads from Keystone and Barbican. */
@Injectable()
export class OpenStackReader implements OnModuleDestroy {
  readonly #http: HttpReader;

  constructor(@Inject(SETTINGS) { caFile, insecureTls }: Pick<ServerSettings, 'caFile' | 'insecureTls'>) {
    this.#http = new HttpReader({ caFile, insecureTls, maxBodyBytes: MAX_BODY_BYTES });
  }

  /**
   * @param service the server's name for error texts, e.g. `Barbican`
   * @throws DmsError SECRET_UNAVAILABLE if there is no answer that can be used
   */
  async get(
    service: string,
    url: string,
    headers: Record<string, string>,
    deadline: Deadline,
  ): Promise<HttpAnswer> {
    let answer: HttpAnswer;
    try {
      answer = await this.#http.get(url, headers, Math.min(deadline.remainingMs(), LONGEST_REQUEST_MS));
    } catch (error) {
      throw new DmsError('SECRET_UNAVAILABLE', `${service} ${(error as Error).message}.`);
    }
    if (answer.status < 300 || answer.status >= 400) return answer;
    const text = `${service} answered with a redirect (${answer.status}), which is not followed: it would carry the token elsewhere.`;
    throw new DmsError('SECRET_UNAVAILABLE', text);
  }

  onModuleDestroy(): Promise<void> {
    return this.#http.close();
  }
}
