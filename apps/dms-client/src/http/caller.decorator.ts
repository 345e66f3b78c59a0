import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Request, type Response } from 'express';

/** A signal that is aborted when the caller hangs up before it was answered. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal => {
  const http = context.switchToHttp();
  const response = http.getResponse<Response>();
  const controller = new AbortController();
  if (http.getRequest<Request>().destroyed) controller.abort();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
});
