import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from '../rig';

/**
 * Writes a new file and reads it back, over and over, by file operations that are each checked; it also keeps one file
 * open and adds to it. It ends, with the number of rounds, when its input does.
 */
const SCRIPT = String.raw`
cd /; round=0; failed=0
exec 3>"$1/open"
while ! read -r -t 0 _; do
  round=$((round + 1))
  echo "round $round" >"$1/file-$round" || failed=$((failed + 1))
  [ "$(cat "$1/file-$round")" = "round $round" ] || failed=$((failed + 1))
  echo "line $round" >&3 || failed=$((failed + 1))
  ls "$1" >/dev/null || failed=$((failed + 1))
  echo "$round $failed"
done
exec 3>&- || failed=$((failed + 1))
echo "end $round $failed"`;

/** A job's program that works in a mount all the time. */
export class SteadyWork {
  #said = '';
  readonly #ended: Promise<unknown>;

  private constructor(private readonly process: ChildProcess) {
    for (const pipe of [process.stdout, process.stderr]) {
      pipe?.on('data', (chunk) => (this.#said += String(chunk)));
    }
    this.#ended = once(process, 'close');
  }

  /** @param words a command before the program, e.g. one that enters a namespace */
  static start(path: string, words: readonly string[] = []): SteadyWork {
    const [program, ...args] = [...words, 'bash', '-c', SCRIPT, 'bash', path];
    return new SteadyWork(spawn(program, args, { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  /** Rounds that are done. */
  get rounds(): number {
    return this.#said.split('\n').filter((line) => /^\d+ \d+$/.test(line)).length;
  }

  /** Resolves when so many rounds more are done. */
  async goesOn(rounds = 5): Promise<void> {
    const before = this.rounds;
    await waitFor(() => this.rounds >= before + rounds, {
      timeoutMs: 60_000,
      what: `the work to go on: ${this.#said.slice(-500)}`,
    });
  }

  /** Ends it; gives what failed of all that it did, and the words of an error. */
  async finish(): Promise<{ rounds: number; failed: number; errors: string }> {
    this.process.stdin?.end('\n');
    await this.#ended;
    const end = /^end (\d+) (\d+)$/m.exec(this.#said);
    const errors = this.#said.split('\n').filter((line) => !/^(end )?\d+ \d+$|^$/.test(line));
    return { rounds: Number(end?.[1]), failed: Number(end?.[2]), errors: errors.join('\n') };
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}
