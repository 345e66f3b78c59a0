import { Catch, Logger, type RpcExceptionFilter } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type Observable, throwError } from 'rxjs';

/** Hands an error on as it is: NestJS' own filter would make "Internal server error" of all that it does not know. */
@Catch()
export class CommandErrorFilter implements RpcExceptionFilter<unknown> {
  readonly #logger = new Logger(CommandErrorFilter.name);

  catch(error: unknown): Observable<never> {
    if (!(error instanceof DmsError)) this.#logger.error({ msg: 'A command met a defect', err: error });
    return throwError(() => DmsError.from(error));
  }
}
