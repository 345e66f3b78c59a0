import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Response } from 'express';

/** Says whether the caller of a request has hung up before it was answered: `aborted`, as of an `AbortSignal`. */
export const Caller = createParamDecorator(
  (_: unknown, context: ExecutionContext): { readonly aborted: boolean } => {
    const response = context.switchToHttp().getResponse<Response>();
    // The request says nothing: it is destroyed, too, once its body was read.
    const caller = { aborted: response.closed };
    response.once('close', () => {
      if (!response.writableFinished) caller.aborted = true;
    });
    return caller;
  },
);
