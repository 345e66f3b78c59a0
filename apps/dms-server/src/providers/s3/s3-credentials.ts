import { posix } from 'node:path';
import { isUnderBase, originOf, Secret } from '@app/contracts';
import { parseObject } from './openstack-error';
import { PayloadValues, unusable } from './payload-values';

/** What a secret says about a bucket. */
export interface S3Credentials {
  readonly accessKeyId: Secret;
  readonly secretAccessKey: Secret;
  /** Of keys that are valid for a time only; they are not renewed while the target is mounted. */
  readonly sessionToken: Secret | null;
  readonly bucket: string;
  readonly region: string | null;
  /** With its scheme; null: AWS. */
  readonly endpointUrl: string | null;
  readonly ssl: boolean;
  readonly sslVerify: boolean;
  /** File with the authorities for the endpoint's certificate. */
  readonly sslCert: string | null;
  readonly authVersion: string;
  readonly signatureVersion: string;
  /** What `vault_storage_nfs_export` is to say. */
  readonly exportName: string;
  readonly bucketObjectLock: boolean;
  readonly useManifestSuffix: boolean;
}

// Each of these becomes a word or an option of a program: no commas, no spaces, nothing that begins with "-".
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const WORD = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const FILE = /^\/[^\s,]{1,1023}$/;
const EXPORT = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,511}$/;
/** Host, port and path in plain letters: what programs and shells take for more than that is not among them. */
const PLAIN_URL = /^https?:\/\/[A-Za-z0-9._[\]:%-]+(\/[A-Za-z0-9._~%/-]*)?$/i;

/** What a bucket cannot be mounted without, as the documentation spells it. */
const REQUIRED = {
  access_key_id: 'aws_access_key_id',
  secret_access_key: 'aws_secret_access_key',
  bucket: 'bucket',
};

/**
 * Reads the payload of a secret, in any spelling that has been stored: `aws_access_key_id`, `access_key_id`,
 * `vault_s3_access_key_id`, `VAULT_S3_ACCESS_KEY_ID`, and so for the others.
 *
 * @throws DmsError SECRET_UNAVAILABLE that names the keys that are missing or wrong, never a value
 */
export function parseS3Credentials(payload: Secret): S3Credentials {
  const object = parseObject(payload.reveal());
  if (object === null) throw unusable('its payload is not a JSON object');
  const values = new PayloadValues(object);
  values.require(REQUIRED);
  const bucket = values.text('bucket', BUCKET) ?? '';
  const ssl = values.flag('ssl', true);
  const sessionToken = values.text('session_token');
  return {
    accessKeyId: new Secret(values.text('access_key_id') ?? ''),
    secretAccessKey: new Secret(values.text('secret_access_key') ?? ''),
    sessionToken: sessionToken === null ? null : new Secret(sessionToken),
    bucket,
    region: values.text('region', WORD),
    endpointUrl: endpointOf(values.text('endpoint_url'), ssl),
    ssl,
    sslVerify: values.flag('ssl_verify', true),
    sslCert: values.text('ssl_cert', FILE),
    authVersion: values.text('auth_version', WORD) ?? 'DEFAULT',
    signatureVersion: values.text('signature_version', WORD) ?? 'default',
    exportName:
      values.text('storage_nfs_export', EXPORT) ?? values.text('storage_s3_export', EXPORT) ?? bucket,
    bucketObjectLock: values.flag('bucket_object_lock', false),
    useManifestSuffix: values.flag('use_manifest_suffix', false),
  };
}

/**
 * Who writes a secret names a file that root opens.
 *
 * @param directories below which it has to lie; who may write there, links included, is trusted
 * @throws DmsError SECRET_UNAVAILABLE
 */
export function requireCertificateBelow(
  directories: readonly string[],
  { sslCert }: Pick<S3Credentials, 'sslCert'>,
): void {
  if (sslCert === null || (posix.normalize(sslCert) === sslCert && isUnderBase(sslCert, directories))) return;
  throw unusable(
    `"ssl_cert" is not a file below ${directories.join(', ')}, the directories of DMS_S3_CERT_DIR`,
  );
}

function endpointOf(value: string | null, ssl: boolean): string | null {
  if (value === null) return null;
  const text = /^[a-z]+:\/\//i.test(value) ? value : `${ssl ? 'https' : 'http'}://${value}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !PLAIN_URL.test(text) || url.username !== '' || url.password !== '') {
    throw unusable('"endpoint_url" is not a plain http or https URL: no user, query, commas or backslashes');
  }
  return `${originOf(url)}${url.pathname.replace(/\/+$/, '')}`;
}
