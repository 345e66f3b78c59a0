import { asBoolean, asReadableFile } from './parsers';

/** Whom the other ends of TLS connections are believed, the same for every program. */
export const TLS_SETTINGS = {
  caFile: {
    env: 'DMS_CA_FILE',
    file: 'ca_file',
    help: 'Authorities (PEM) trusted for the broker, Keystone and Barbican, beside those that Node.js trusts.',
    default: null,
    parse: asReadableFile,
  },
  insecureTls: {
    env: 'DMS_INSECURE_SKIP_TLS_VERIFY',
    file: 'insecure_skip_tls_verify',
    help: 'true: the certificates of Keystone and Barbican are not checked, and whoever stands between gets every token. For trials only.',
    default: 'false',
    parse: asBoolean,
  },
} as const;

/** What is said at each start, and by health checks, where certificates are not checked. */
export const INSECURE_TLS_WARNING =
  'DMS_INSECURE_SKIP_TLS_VERIFY is set: the certificates of Keystone and Barbican are not checked, and whoever stands between gets every token';
