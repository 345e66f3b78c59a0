import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  Logger,
  ServiceUnavailableException,
} from '@nestjs/common';
import { DmsError, type ErrorDto, NO_SUCH_RESOURCE } from '@app/contracts';

const RETRY_AFTER_SECONDS = 5;

/** What is used of Express' response. */
interface Answer {
  readonly headersSent: boolean;
  setHeader(name: string, value: string): void;
  status(code: number): Answer;
  json(body: unknown): void;
}

/** Every error leaves as the one error body, with the status of its code and without a stack. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  readonly #log = new Logger(ErrorFilter.name);

  catch(thrown: unknown, host: ArgumentsHost): void {
    // A health check that failed: its body names the parts.
    if (thrown instanceof ServiceUnavailableException) return health(thrown, host);
    const error = asDmsError(thrown);
    if (error.code === 'INTERNAL') this.#log.error({ msg: error.message, err: thrown });
    const response = host.switchToHttp().getResponse<Answer>();
    if (response.headersSent) return;
    const retryAfter = retryAfterOf(error);
    if (retryAfter !== null) response.setHeader('Retry-After', String(retryAfter));
    response.status(error.httpStatus).json(errorBody(error));
  }
}

function health(failed: ServiceUnavailableException, host: ArgumentsHost): void {
  const response = host.switchToHttp().getResponse<Answer>();
  response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  response.status(failed.getStatus()).json(failed.getResponse());
}

/** Seconds; null where trying again changes nothing, or nothing is known about when. */
function retryAfterOf({ httpStatus, details }: DmsError): number | null {
  if (httpStatus !== 429 && httpStatus !== 503) return null;
  return Number(details?.retry_after_s ?? RETRY_AFTER_SECONDS);
}

export function errorBody(error: DmsError): ErrorDto {
  return {
    status: 'error',
    error_msg: error.message,
    success_msg: null,
    error_code: error.code,
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(error.operationId === undefined ? {} : { operation_id: error.operationId }),
  };
}

/** What the framework and the body parser throw, in our codes. */
function asDmsError(thrown: unknown): DmsError {
  if (thrown instanceof DmsError) return thrown;
  const type = (thrown as { type?: unknown } | null)?.type;
  if (type === 'entity.too.large') return new DmsError('TOO_LARGE', 'body: must be at most 1 MiB');
  if (type === 'entity.parse.failed') return invalidBody('must be JSON');
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return invalidBody('must be UTF-8 JSON');
  if (thrown instanceof HttpException) return fromHttp(thrown);
  return DmsError.from(thrown);
}

function invalidBody(problem: string): DmsError {
  return DmsError.validation([{ field: 'body', problem }]);
}

function fromHttp(exception: HttpException): DmsError {
  const status = exception.getStatus();
  if (status === 404) return new DmsError('NOT_FOUND', NO_SUCH_RESOURCE);
  if (status === 413) return new DmsError('TOO_LARGE', 'body: must be at most 1 MiB');
  // Express' words for a path that decodeURIComponent() does not take.
  if (/^Failed to decode param/.test(exception.message)) {
    return DmsError.validation([{ field: 'path', problem: 'must be UTF-8, percent-encoded' }]);
  }
  if (status >= 400 && status < 500)
    return invalidBody('cannot be read; send a JSON object as application/json');
  return DmsError.from(exception);
}
