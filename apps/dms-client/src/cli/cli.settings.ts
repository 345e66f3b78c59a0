import {
  asHttpUrl,
  asSeconds,
  asSecret,
  asText,
  readSettings,
  type SettingValues,
  TLS_SETTINGS,
} from '@app/platform';
import { clientConfigurationFiles } from '../settings/client.settings';

/** Settings of the `dms` command alone, beside those of dms-client. */
export const CLI_SETTINGS = {
  apiUrl: {
    env: 'DMS_API_URL',
    file: 'api_url',
    help: "Address of dms-client's HTTP facade; without it dms goes to broker and database itself.",
    default: null,
    parse: asHttpUrl,
  },
  caFile: {
    ...TLS_SETTINGS.caFile,
    help: 'Authorities (PEM) trusted for an HTTP facade with https, beside those that Node.js trusts.',
  },
  insecureTls: {
    ...TLS_SETTINGS.insecureTls,
    help: 'true: the certificate of an HTTP facade with https is not checked. For trials only.',
  },
  apiToken: {
    env: 'DMS_API_TOKEN',
    file: 'api_token',
    help: 'Bearer token for an HTTP facade with DMS_AUTH_MODE=token.',
    default: null,
    parse: asSecret,
    secret: true,
  },
  apiTokenFile: {
    env: 'DMS_API_TOKEN_FILE',
    file: 'api_token_file',
    help: 'File that holds the bearer token instead; read for each request.',
    default: null,
    parse: asText,
  },
  keystoneToken: {
    env: 'KEYSTONE_TOKEN',
    help: 'Keystone token: for reading the secret of an s3 target, and for an HTTP facade with DMS_AUTH_MODE=keystone, as X-Auth-Token where there is no bearer token. --token-file and --token win over it.',
    default: null,
    parse: asSecret,
    secret: true,
  },
  requestTimeoutMs: {
    env: 'DMS_REQUEST_TIMEOUT',
    file: 'timeout',
    help: 'Seconds that a request waits for the node; after that its outcome is unknown (TIMEOUT).',
    default: '300',
    parse: asSeconds(0.1, 86_400),
  },
} as const;

export type CliSettings = SettingValues<typeof CLI_SETTINGS>;

/** @throws SettingsError that names every bad setting at once */
export function loadCliSettings(env: NodeJS.ProcessEnv = process.env): CliSettings {
  return readSettings(CLI_SETTINGS, { env, files: clientConfigurationFiles(env), section: 'client' });
}
