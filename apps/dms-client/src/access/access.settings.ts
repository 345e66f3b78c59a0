import { isIP } from 'node:net';
import {
  asHttpUrl,
  asInteger,
  asOneOf,
  asSeconds,
  asText,
  SettingsError,
  type SettingValues,
} from '@app/platform';
import { isLoopback } from './loopback';

/** Who may call the HTTP facade of dms-client, and how much of it. */
export const ACCESS_SETTINGS = {
  authMode: {
    env: 'DMS_AUTH_MODE',
    file: 'auth_mode',
    help: 'Who may call the HTTP facade: keystone (who brings a Keystone token), token (who brings one of DMS_TOKEN_FILE), none (everybody; loopback addresses only).',
    default: 'none',
    parse: asOneOf('keystone', 'token', 'none'),
  },
  authUrl: {
    env: 'DMS_AUTH_URL',
    file: 'auth_url',
    help: 'Keystone, e.g. http://keystone:5000/v3; needed for DMS_AUTH_MODE=keystone.',
    default: null,
    parse: asHttpUrl,
  },
  authCacheMs: {
    env: 'DMS_AUTH_CACHE',
    file: 'auth_cache',
    help: "Seconds that Keystone's word on a token counts at most: a revoked token is good for that long; 0 asks every time.",
    default: '30',
    parse: asSeconds(0, 300),
  },
  tokenFile: {
    env: 'DMS_TOKEN_FILE',
    file: 'token_file',
    help: 'For DMS_AUTH_MODE=token: lines of TOKEN NAME ROLE [PROJECT], the role admin, service, member or reader. Others must not be able to read it. Read again when it changes.',
    default: null,
    parse: asText,
  },
  corsOrigins: {
    env: 'DMS_CORS_ORIGINS',
    file: 'cors_origins',
    help: 'Origins whose web pages may call the HTTP facade from a browser (CORS), e.g. https://console.example, comma separated. Without it no other page may.',
    default: null,
    parse: asOrigins,
  },
  trustedProxies: {
    env: 'DMS_TRUSTED_PROXIES',
    file: 'trusted_proxies',
    help: 'Addresses of proxies in front of the HTTP facade, comma separated, with or without a prefix length, e.g. 10.0.0.7,192.168.4.0/24. What they say in X-Forwarded-For is believed: limits count for the address of the caller, not of the proxy.',
    default: null,
    parse: asNetworks,
  },
  callerRate: {
    env: 'DMS_CALLER_RATE',
    file: 'caller_rate',
    help: 'Requests a second of one caller, and twice as many at once; 0: no limit. Without DMS_AUTH_MODE all are one caller, and only DMS_RATE counts.',
    default: '200',
    parse: asInteger(0, 1_000_000),
  },
  totalRate: {
    env: 'DMS_RATE',
    file: 'rate',
    help: 'Requests a second in all, and twice as many at once; 0: no limit.',
    default: '10000',
    parse: asInteger(0, 1_000_000),
  },
  maxCallerRequests: {
    env: 'DMS_CALLER_REQUESTS',
    file: 'caller_requests',
    help: 'Requests of one caller that may be under way, streams of events among them.',
    default: '2000',
    parse: asInteger(1, 1_000_000),
  },
  maxRequests: {
    env: 'DMS_REQUESTS',
    file: 'requests',
    help: 'Requests in all that may be under way.',
    default: '10000',
    parse: asInteger(1, 1_000_000),
  },
} as const;

type AccessSettings = Pick<
  SettingValues<typeof ACCESS_SETTINGS>,
  'authMode' | 'authUrl' | 'tokenFile' | 'corsOrigins'
> & {
  readonly httpHost: string;
};

/** What the mode lacks, without which it would let in nobody, or everybody; what could not be read is passed over. */
export function accessProblems({
  authMode,
  authUrl,
  tokenFile,
  httpHost,
  corsOrigins,
}: Partial<AccessSettings>): string[] {
  const problems: string[] = [];
  if (authMode === 'none' && httpHost !== undefined && !isLoopback(httpHost)) {
    problems.push(
      'DMS_HTTP_HOST: must be a loopback address while DMS_AUTH_MODE is none; set DMS_AUTH_MODE to keystone or token',
    );
  }
  if (authMode === 'none' && corsOrigins) {
    problems.push('DMS_CORS_ORIGINS: needs DMS_AUTH_MODE=keystone or token');
  }
  if (authMode === 'keystone' && authUrl === null) {
    problems.push('DMS_AUTH_URL: is required for DMS_AUTH_MODE=keystone');
  }
  if (authMode === 'token' && tokenFile === null) {
    problems.push('DMS_TOKEN_FILE: is required for DMS_AUTH_MODE=token');
  }
  return problems;
}

/** @throws SettingsError that names every setting which the mode lacks */
export function requireAccessSettings(settings: AccessSettings): void {
  const problems = accessProblems(settings);
  if (problems.length > 0) throw new SettingsError(problems);
}

function asNetworks(text: string): readonly string[] {
  const networks = text.split(',').map((part) => part.trim());
  for (const network of networks) {
    const [address, prefix, ...rest] = network.split('/');
    const bits = { 4: 32, 6: 128 }[isIP(address)] ?? -1;
    const isPrefix =
      prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= bits);
    if (bits < 0 || !isPrefix || rest.length > 0) {
      throw new Error(
        'must be IP addresses such as 10.0.0.7 or networks such as 192.168.4.0/24, comma separated',
      );
    }
  }
  return networks;
}

function asOrigins(text: string): readonly string[] {
  const origins = text.split(',').map((part) => part.trim());
  for (const origin of origins) {
    if (!URL.canParse(origin) || !/^https?:/.test(origin) || new URL(origin).origin !== origin) {
      throw new Error('must be origins such as https://console.example, comma separated');
    }
  }
  return origins;
}
