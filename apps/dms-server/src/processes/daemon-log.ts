import { plainText } from '@app/contracts';

/** As s3fs begins a line of its own, and its launcher: what it repeats of an endpoint's answer stands further on. */
const CRITICAL_LINE = /^(?:\d{4}-\S+ )?\[CRT\] /;
const ERROR_LINE = /\[(CRT|ERR)\]|^Traceback |\b(CRITICAL|ERROR)\b/;
/** s3fs calls it critical that it was told how much to log. */
const NO_ERROR = /\[CRT\].*change debug level from/;
const MAX_CHARACTERS = 500;
const LINES_WITHOUT_A_CRITICAL_ONE = 3;

/** The lines of a FUSE daemon's log with which it reports an error, oldest first. */
export function errorLinesOf(log: string): string[] {
  return linesOf(log).filter((line) => ERROR_LINE.test(line));
}

/** The critical ones (`[CRT]`): with such a line s3fs ends. */
export function criticalLinesOf(log: string): string[] {
  return linesOf(log).filter((line) => CRITICAL_LINE.test(line));
}

/** The words of a log that say why the daemon failed: its critical lines, else its last ones. */
export function lastWordsOf(log: string): string {
  const critical = criticalLinesOf(log);
  return printable(critical.length > 0 ? critical : linesOf(log).slice(-LINES_WITHOUT_A_CRITICAL_ONE));
}

/** Lines of a log on one line, without control characters and the time and place that s3fs puts before a message. */
export function printable(lines: readonly string[]): string {
  const text = lines.map((line) => line.replace(/^.*?(?=\[(CRT|ERR)\])/, '').trim()).join(' | ');
  return plainText(text).slice(0, MAX_CHARACTERS);
}

function linesOf(log: string): string[] {
  return log.split('\n').filter((line) => line.trim() !== '' && !NO_ERROR.test(line));
}
