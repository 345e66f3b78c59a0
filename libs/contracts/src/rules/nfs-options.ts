import { plainText } from './plain-text';

/**
 * NFS mount options that a request may carry (nfs(5)). What is not here is refused: an option can make the kernel
 * contact other hosts, mount in the background, or lift nosuid and nodev.
 */
const FLAGS = new Set([
  'ac', 'acl', 'async', 'atime', 'cto', 'diratime', 'fg', 'hard', 'intr', 'lock', 'noac', 'noacl', 'noatime',
  'nocto', 'nodev', 'nodiratime', 'noexec', 'nointr', 'nolock', 'noresvport', 'nosharecache', 'nosuid', 'rdirplus',
  'nordirplus', 'relatime', 'resvport', 'ro', 'rw', 'sharecache', 'soft', 'softerr', 'sync', 'tcp', '_netdev',
]); // prettier-ignore
const NUMBERS = new Set([
  'acdirmax', 'acdirmin', 'acregmax', 'acregmin', 'actimeo', 'max_connect', 'mountport', 'namlen', 'nconnect', 'port',
  'retrans', 'retry', 'rsize', 'timeo', 'wsize',
]); // prettier-ignore
const WORDS: Readonly<Record<string, readonly string[]>> = {
  vers: ['3', '4', '4.0', '4.1', '4.2'],
  nfsvers: ['3', '4', '4.0', '4.1', '4.2'],
  minorversion: ['0', '1', '2'],
  proto: ['tcp', 'tcp6', 'udp', 'udp6', 'rdma'],
  mountproto: ['tcp', 'tcp6', 'udp', 'udp6'],
  sec: ['sys', 'none', 'krb5', 'krb5i', 'krb5p'],
  lookupcache: ['all', 'none', 'pos', 'positive'],
  local_lock: ['all', 'flock', 'posix', 'none'],
};
/** They stand in fstab(5), and say nothing about a mount: the Python system's own default is "defaults". */
const WITHOUT_MEANING = new Set(['defaults', 'auto', 'noauto', 'nofail', 'nouser']);

/** All that a request may ask for, for the documentation. */
export const NFS_OPTIONS = {
  flags: [...FLAGS],
  numbers: [...NUMBERS],
  words: WORDS,
  withoutMeaning: [...WITHOUT_MEANING],
} as const;

/**
 * What a null or empty `nfs_mount_opts` stands for, and one of options without a meaning. `softerr` with timeo=100 and retrans=3 makes a call to a dead server
 * fail with ETIMEDOUT after about a minute, where `hard` would wait for ever; the price is that a write can fail
 * while the server is away.
 */
export const DEFAULT_NFS_OPTIONS = 'rw,softerr,timeo=100,retrans=3';

const MAX_SHOWN_CHARACTERS = 32;

/** Never left to a request: a backup target brings neither set-user-ID programs nor devices. */
const ALWAYS = ['nosuid', 'nodev'];

/** What is wrong with an option string, or null; a refused option is named. */
export function nfsOptionsProblem(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return 'must be a string or null';
  if (value.length > 1024) return 'must have at most 1024 characters';
  for (const option of split(value)) {
    const problem = optionProblem(option);
    if (problem !== null) return problem;
  }
  const options = split(value);
  if (options.includes('ro') && options.includes('rw')) return 'must not hold both "ro" and "rw"';
  return null;
}

function optionProblem(option: string): string | null {
  const [name, argument] = splitOnce(option);
  if (argument === undefined) return FLAGS.has(name) ? null : refusal(name);
  if (NUMBERS.has(name)) return /^\d{1,9}$/.test(argument) ? null : `option "${name}" must be a whole number`;
  if (Object.hasOwn(WORDS, name)) {
    return WORDS[name].includes(argument)
      ? null
      : `option "${name}" must be one of ${WORDS[name].join(', ')}`;
  }
  return refusal(name);
}

/** The options for `mount -o`: those asked for or the default, read-only if so asked, and always nosuid,nodev. */
export function nfsOptionsFor(value: string | null | undefined, readOnly: boolean): string {
  const given = split(value ?? '');
  // A text without options asks for nothing, as null does: the kernel's own default would be `hard`.
  const asked = (given.length > 0 ? given : split(DEFAULT_NFS_OPTIONS)).filter(
    (option) => !ALWAYS.includes(option),
  );
  const mode = readOnly ? [...asked.filter((option) => option !== 'rw' && option !== 'ro'), 'ro'] : asked;
  return [...mode, ...ALWAYS].join(',');
}

/** True if the option string itself asks for a read-only mount. */
export function asksReadOnly(value: string | null | undefined): boolean {
  return split(value ?? '').includes('ro');
}

/** Something long is no name of an option: it could be a password that stands in the wrong place. */
function refusal(name: string): string {
  const printable = plainText(name, '?');
  const option = printable.length > MAX_SHOWN_CHARACTERS ? 'an option' : `option "${printable}"`;
  return `${option} is not allowed; docs/HTTP.md lists those that are, under "NFS options"`;
}

function split(value: string): string[] {
  return value.split(',').filter((option) => option !== '' && !WITHOUT_MEANING.has(option));
}

function splitOnce(option: string): [string, string | undefined] {
  const at = option.indexOf('=');
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}
