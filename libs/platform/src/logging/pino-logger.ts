import { type LoggerService } from '@nestjs/common';
import pino from 'pino';
import { activeTracer } from '../telemetry/observation';
import { currentRequest } from '../telemetry/request-context';
import { type LogLevel } from './log-levels';
import { LogOutput } from './log-output';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Name of the program, on every line. */
  readonly name: string;
  /** 1: standard output, as services do; 2: standard error, as commands do. */
  readonly descriptor?: 1 | 2;
}

/** Parts of NestJS that tell how the application is put together at each start. */
const FRAMEWORK = new Set(['InstanceLoader', 'NestFactory', 'RouterExplorer', 'RoutesResolver']);

/** NestJS' logger on pino: one JSON object a line. An object as message becomes fields, its `msg` the text. */
export class PinoLogger implements LoggerService {
  readonly #pino: pino.Logger;

  constructor({ level, name, descriptor = 1 }: LoggerOptions) {
    this.#pino = pino(
      {
        level,
        name,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        mixin: whoseWork,
      },
      new LogOutput(descriptor),
    );
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.#write(FRAMEWORK.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
  }

  /** NestJS hands over the context as the last argument, and for errors a stack before it. */
  #write(level: pino.Level, message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    const fields = { context, stack };
    if (message instanceof Error) this.#pino[level]({ ...fields, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.#pino[level]({ ...fields, ...message });
    else this.#pino[level](fields, String(message));
  }
}

/** The request for which something is logged, so that its lines can be found in the logs of both programs. */
function whoseWork(): object {
  const requestId = currentRequest()?.requestId;
  const traceId = activeTracer()?.place()?.traceId;
  return {
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...(traceId === undefined ? {} : { trace_id: traceId }),
  };
}
