import { spawnSync } from 'node:child_process';

/** A directory service that is asked for a name may need a moment. */
const LOOKUP_MS = 5_000;
/** The id after it means "leave as it is" to chown(2). */
const LARGEST_ID = 2 ** 32 - 2;
const NAME = /^[a-z_][a-z0-9_.@-]*\$?$/i;
/** Files and directories of an S3 mount share one mode, so whoever may read must be able to pass. */
const MODE = /^0?7[57][05]$/;

/** Which list of the system a name stands in, and how it gets there. */
interface IdKind {
  readonly database: 'passwd' | 'group';
  readonly noun: string;
  readonly command: string;
}

/** Parses the name or the number of a user. @throws Error that says what to do */
export function asUserId(text: string): number {
  return idOf(text, { database: 'passwd', noun: 'user', command: 'useradd' });
}

/** Parses the name or the number of a group. @throws Error that says what to do */
export function asGroupId(text: string): number {
  return idOf(text, { database: 'group', noun: 'group', command: 'groupadd' });
}

/** Parses an octal mode such as `0770`. Nobody but owner and group may write. @throws Error that says what to do */
export function asMountMode(text: string): number {
  if (!MODE.test(text)) {
    throw new Error(
      'must be an octal mode of 7 for the owner, 5 or 7 for the group, and 0 or 5 for all others, e.g. 0770; to let more users write, make them members of DMS_MOUNT_GROUP',
    );
  }
  return Number.parseInt(text, 8);
}

function idOf(text: string, { database, noun, command }: IdKind): number {
  if (/^\d+$/.test(text)) {
    if (Number(text) <= LARGEST_ID) return Number(text);
    throw new Error(`must be a ${noun} name, or a number from 0 to ${LARGEST_ID}`);
  }
  if (!NAME.test(text)) throw new Error(`must be a ${noun} name, or a number from 0 to ${LARGEST_ID}`);
  const { error, stdout } = spawnSync('getent', [database, text], { encoding: 'utf8', timeout: LOOKUP_MS });
  if (error !== undefined) {
    throw new Error(`cannot be looked up (getent: ${codeOf(error)}): set the number of the ${noun}`);
  }
  const id = stdout.split(':').at(2);
  if (id === undefined) {
    throw new Error(`is no ${noun} of this machine: make it with ${command}(8), or set the number of one`);
  }
  return Number(id);
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
