import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { Injectable, Logger } from '@nestjs/common';
import { shortageOf } from './shortage';

/** What is started to find out whether processes can be started again. */
const TRIAL = '/bin/true';

/**
 * Starts processes. A start that fails never ends this program, whatever is missing; while the node is short of something
 * that every start needs, `problem` says so.
 */
@Injectable()
export class ProcessStarts {
  readonly #log = new Logger('Processes');
  #problem: string | null = null;

  /**
   * Returns the process once it runs. The caller listens to `error` of its pipes, if it has some.
   *
   * @throws Error with `code`, if it could not be started
   */
  async start(program: string, args: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
    try {
      // Of some errors spawn() throws, of others it tells later, and the child has no pipes then.
      const child = spawn(program, args, options);
      const failed = new Promise<Error>((resolve) => child.once('error', resolve));
      // Also an error that comes later (a signal that cannot be sent) is heard.
      child.on('error', (error) =>
        this.#log.debug({ msg: 'A process reports an error', program, err: error }),
      );
      if (child.pid === undefined) throw await failed;
      this.#note(null);
      return child;
    } catch (error) {
      const shortage = shortageOf(error);
      if (shortage !== null) this.#note(shortage);
      throw error;
    }
  }

  /** Returns why no process can be started, found out now if a start has failed; null if they can. */
  async problem(): Promise<string | null> {
    if (this.#problem === null) return null;
    try {
      const trial = await this.start(TRIAL, [], { cwd: '/', stdio: 'ignore' });
      trial.unref();
    } catch (error) {
      this.#log.debug({ msg: 'A trial process could not be started', err: error });
    }
    return this.#problem;
  }

  #note(problem: string | null): void {
    if (problem !== null && this.#problem === null)
      this.#log.error(`Processes cannot be started: ${problem}`);
    if (problem === null && this.#problem !== null) this.#log.log('Processes can be started again');
    this.#problem = problem;
  }
}
