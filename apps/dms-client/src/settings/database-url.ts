import { Secret } from '@app/contracts';

/** One server of the database. */
export interface DatabaseServer {
  /** Name or address; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What `DMS_DB_URL` says. */
export interface DatabaseAddress {
  /** In the order in which they are tried; at least one. */
  readonly servers: readonly DatabaseServer[];
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

const DEFAULT_PORT = 3306;
const FORM = 'must be mysql://user:password@host:3306/name, special characters coded as %XX';

/**
 * `DMS_DB_URL`: one URL with one or several hosts, or several URLs with the same account and database, comma separated.
 * Returns the text with SQLAlchemy's driver names left out.
 *
 * @throws Error that does not repeat the text
 */
export function asDatabaseUrl(text: string): Secret {
  const secret = new Secret(text.trim().replace(/(^|,\s*)(mysql|mariadb)\+[a-z]+:/g, '$1$2:'));
  databaseAddress(secret);
  return secret;
}

/** Returns the parts of a text that {@link asDatabaseUrl} has made. @throws Error as it does */
export function databaseAddress(secret: Secret): DatabaseAddress {
  const urls = secret.reveal().split(/,\s*(?=[a-z+]+:\/\/)/);
  const addresses = urls.map((url, index) => addressIn(url, urls.length === 1 ? '' : `URL ${index + 1} `));
  const [first] = addresses;
  addresses.forEach((address, index) => {
    for (const part of ['username', 'password', 'database'] as const) {
      if (address[part] !== first[part])
        throw new Error(`URL ${index + 1} must have the ${part} of the first one`);
    }
  });
  return { ...first, servers: addresses.flatMap(({ servers }) => servers) };
}

/** Returns host and port for logs and error texts. */
export function printableServer({ host, port }: DatabaseServer): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function addressIn(text: string, which: string): DatabaseAddress {
  const [, scheme, userinfo = '', hosts, rest] =
    /^((?:mysql|mariadb):\/\/)([^/?#]*@)?([^/?#@]*)(.*)$/.exec(text) ?? [];
  if (scheme === undefined) throw new Error(`${which}${FORM}`);
  const urls = hosts.split(',').map((host, index, all) => {
    const url = `${scheme}${userinfo}${host.trim()}${rest}`;
    const isGood = host.trim() !== '' && URL.canParse(url) && isDecodable(url);
    if (!isGood) throw new Error(all.length === 1 ? `${which}${FORM}` : `${which}host ${index + 1}: ${FORM}`);
    return new URL(url);
  });
  const [{ username, password, pathname, searchParams }] = urls;
  if (pathname.length < 2) throw new Error(`${which}must name the database: mysql://…/name`);
  // SQLAlchemy's own, such as charset, mean nothing here. That TLS was asked for is not to be passed over.
  if ([...searchParams.keys()].some((name) => /^(ssl|tls)/i.test(name))) {
    throw new Error(
      `${which}must not carry options of TLS: set DMS_DB_CA_FILE to the file of authorities instead`,
    );
  }
  return {
    servers: urls.map(({ hostname, port }) => ({
      host: decodeURIComponent(hostname).replace(/^\[|\]$/g, ''),
      port: Number(port || DEFAULT_PORT),
    })),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}
