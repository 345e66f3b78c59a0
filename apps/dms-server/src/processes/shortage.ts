import { DmsError } from '@app/contracts';

/** What an operating system error says that the node is short of. */
const SHORTAGES: Readonly<Record<string, string>> = {
  ENOSPC: 'no space or no inode is left',
  EDQUOT: 'the quota is used up',
  EROFS: 'the file system is read-only',
  EMFILE: 'dms-server may open no more files (its limit "nofile")',
  ENFILE: 'the machine may open no more files',
  EAGAIN: 'no more processes can be started',
  ENOMEM: 'no memory is left',
};

/** Returns what the node is short of, with the error's code, e.g. "no space or no inode is left (ENOSPC)"; null: of nothing. */
export function shortageOf(error: unknown): string | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === undefined || !Object.hasOwn(SHORTAGES, code)) return null;
  return `${SHORTAGES[code]} (${code})`;
}

/** `error` as NODE_FULL if the node is short of something, else as it is. @param what what could not be done, without a full stop */
export function namingShortage(error: unknown, what: string): unknown {
  const shortage = error instanceof DmsError ? null : shortageOf(error);
  if (shortage === null) return error;
  return new DmsError('NODE_FULL', `${what}: ${shortage}`, { cause: error });
}
