import { type ErrorCode, ERROR_CODES } from './error-codes';
import { ERROR_REMEDIES } from './error-remedies';

/** One thing that is wrong with one field. */
export interface FieldProblem {
  /** Path of the field in the request, e.g. `job.jobid`. */
  field: string;
  /** What is wrong and what would be right; never the value itself, which may be secret. */
  problem: string;
}

export interface DmsErrorOptions {
  details?: Record<string, unknown>;
  operationId?: string;
  cause?: unknown;
}

/** An error that callers may see. Its message must hold no secret. */
export class DmsError extends Error {
  readonly details?: Record<string, unknown>;
  /** The operation whose end it is. */
  readonly operationId?: string;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: DmsErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'DmsError';
    this.details = options.details;
    this.operationId = options.operationId;
  }

  get httpStatus(): number {
    return ERROR_CODES[this.code].http;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }

  /** What the caller can do about it. */
  get remedy(): string {
    return ERROR_REMEDIES[this.code];
  }

  /** The same error as the end of one operation: an error that many requests share belongs to none of them. */
  of(operationId: string): DmsError {
    if (this.operationId !== undefined) return this;
    return new DmsError(this.code, this.message, { details: this.details, operationId, cause: this });
  }

  /** VALIDATION_FAILED for the given fields; the message names them all. */
  static validation(problems: FieldProblem[]): DmsError {
    const message = problems.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
    return new DmsError('VALIDATION_FAILED', message, { details: { fields: problems } });
  }

  /** `error` itself if it is one of ours, else INTERNAL with a neutral text and `error` as its cause. */
  static from(error: unknown): DmsError {
    if (error instanceof DmsError) return error;
    return new DmsError('INTERNAL', 'An unexpected error occurred; the log of the service has it.', {
      cause: error,
    });
  }
}
