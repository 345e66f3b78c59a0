import { AbstractLogger } from 'typeorm';

/** TypeORM by itself prints migrations that failed to standard output; the error tells it already. */
export class SilentLogger extends AbstractLogger {
  protected writeLog(): void {
    // Nothing is to be said.
  }
}
