import { typeName } from './identifiers';
import { holdsAsciiControl } from './plain-text';

/** An IPv6 address in brackets, perhaps in the zone of an interface. */
const ADDRESS = String.raw`\[[0-9a-fA-F:.]+(?:%[A-Za-z0-9._-]{1,15})?\]`;
/** It may end with the dot of the root. One that begins with "-" would be an option to mount(8). */
const NAME = String.raw`[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?`;
const EXPORT = new RegExp(String.raw`^(${ADDRESS}|${NAME}):(/[^\s,]*)$`, 'u');
/** Barbican's ids are UUIDs; that is for Barbican to say. What is asked for must be one plain segment of a path. */
const SECRET_PATH = /\/v1\/secrets\/[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NOT_IN_A_REFERENCE = /[\s\\]/u;
const MAX_SOURCE_CHARACTERS = 1024;

/** What is wrong with an NFS export, or null. */
export function exportProblem(value: unknown): string | null {
  if (value === undefined || value === null) return 'is required for an nfs target, as "server:/path"';
  if (typeof value !== 'string') return `must be "server:/path", not ${typeName(value)}`;
  if (value.length > MAX_SOURCE_CHARACTERS) return `must have at most ${MAX_SOURCE_CHARACTERS} characters`;
  return value.isWellFormed() &&
    !holdsAsciiControl(value) &&
    EXPORT.test(value) &&
    !value.split('/').includes('..')
    ? null
    : 'must be "server:/path", without spaces, commas and ".."';
}

/** What is wrong with a reference to a Barbican secret, or null. */
export function secretRefProblem(value: unknown): string | null {
  if (value === undefined || value === null) return "is required for an s3 target, as the secret's URL";
  if (typeof value !== 'string') return `must be the secret's URL, not ${typeName(value)}`;
  if (value.length > MAX_SOURCE_CHARACTERS) return `must have at most ${MAX_SOURCE_CHARACTERS} characters`;
  // A URL parser takes some of these out and others for slashes: no two programs would read the same host.
  if (NOT_IN_A_REFERENCE.test(value) || holdsAsciiControl(value))
    return 'must hold no spaces, backslashes and control characters';
  if (!URL.canParse(value)) return 'must be the URL of a secret, as Barbican returned it';
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must be an http or https URL';
  if (url.username !== '' || url.password !== '') return 'must not carry a user or password';
  if (url.search !== '' || url.hash !== '') return 'must not carry a query or fragment';
  return SECRET_PATH.test(trimSlashes(url.pathname)) ? null : 'must end in /v1/secrets/<id>';
}

/**
 * Returns the one spelling of an export, so that two requests for one source compare equal: the host in lower case, the
 * path without empty components, `.` and a slash at the end, as NFS 4 shows it in the mount table.
 */
export function normalizeExport(value: string): string {
  const at = value.indexOf(':/');
  const components = value.slice(at + 1).split('/');
  const path = components.filter((component) => component !== '' && component !== '.').join('/');
  return `${normalHost(value.slice(0, at))}:/${path}`;
}

/** In small letters but for the name of an interface, and without the dot of the root. */
function normalHost(host: string): string {
  const [address, ...zone] = host.split('%');
  return [address.toLowerCase().replace(/\.$/, ''), ...zone].join('%');
}

/** The one spelling of an http or https origin: a lower-case host without the dot of the root, no default port. */
export function originOf({ protocol, hostname, port }: URL): string {
  return `${protocol}//${normalHost(hostname)}${port === '' ? '' : `:${port}`}`;
}

/** The one spelling of a secret's URL: lower-case host and UUID, no default port, no trailing slash. */
export function normalizeSecretRef(value: string): string {
  const url = new URL(value);
  const path = trimSlashes(url.pathname);
  const cut = path.lastIndexOf('/') + 1;
  const id = path.slice(cut);
  return `${originOf(url)}${path.slice(0, cut)}${UUID.test(id) ? id.toLowerCase() : id}`;
}

/**
 * Tells whether two sources are one. Either may be of a version that kept more spellings apart, or be what no version would
 * take now.
 */
export function isSameSource(type: 'nfs' | 's3', one: string, other: string): boolean {
  if (one === other) return true;
  if (type === 'nfs') return normalizeExport(one) === normalizeExport(other);
  return URL.canParse(one) && URL.canParse(other) && normalizeSecretRef(one) === normalizeSecretRef(other);
}

/** The id of the secret that a (valid) reference names. */
export function secretIdOf(secretRef: string): string {
  return normalizeSecretRef(secretRef).split('/').at(-1) ?? '';
}

function trimSlashes(path: string): string {
  return path.replace(/\/+$/, '');
}
