/** What has to happen before this process ends. */
type Ending = () => Promise<void>;

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** A terminal, npm and a script pass the same signal on, each for itself: so soon after the first it is that one. */
const SAME_SIGNAL_MS = 2_000;

const endings = new Set<Ending>();
let ended = false;
let endedAt = 0;

/** True if a signal at `now` is the one of before, of `since`; both by performance.now(). */
export function isSameSignal(since: number, now = performance.now()): boolean {
  return now - since < SAME_SIGNAL_MS;
}

/**
 * Has `ending` called if this process is asked to end (ctrl-C, SIGTERM, the terminal closing) or fails with an error
 * that nobody catches. Returns the function that takes the wish back. Handlers exist only while somebody wants them.
 */
export function onEnding(ending: Ending): () => void {
  if (endings.size === 0) {
    for (const signal of SIGNALS) process.on(signal, endBySignal);
    process.on('uncaughtException', endByError);
  }
  endings.add(ending);
  return () => {
    endings.delete(ending);
    if (endings.size === 0) removeHandlers();
  };
}

function removeHandlers(): void {
  for (const signal of SIGNALS) process.removeListener(signal, endBySignal);
  process.removeListener('uncaughtException', endByError);
}

function endBySignal(signal: NodeJS.Signals): void {
  if (ended && isSameSignal(endedAt)) return;
  // Asked twice, a person means now. The guardian cleans up behind us.
  if (ended) process.exit(1);
  ended = true;
  endedAt = performance.now();
  void runEndings().then(() => {
    removeHandlers();
    // Whoever else handles this signal got it too and decides what comes next.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  });
}

function endByError(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  if (ended) process.exit(1);
  ended = true;
  void runEndings().then(() => process.exit(1));
}

async function runEndings(): Promise<void> {
  for (const outcome of await Promise.allSettled([...endings].map((ending) => ending()))) {
    if (outcome.status === 'rejected') process.stderr.write(`${String(outcome.reason)}\n`);
  }
}
