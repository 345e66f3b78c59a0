import { DmsError, Secret } from '@app/contracts';
import { parseObject } from './openstack-error';

/** What a secret says about a bucket. */
export interface S3Credentials {
  readonly accessKeyId: Secret;
  readonly secretAccessKey: Secret;
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

/**
 * Reads the payload of a secret. Its keys have been spelled in many ways: `aws_access_key_id`, `access_key_id`,
 * `vault_s3_access_key_id`, `VAULT_S3_ACCESS_KEY_ID`, and so for the others.
 *
 * @throws DmsError SECRET_UNAVAILABLE that names the key that is missing or wrong, never a value
 */
export function parseS3Credentials(payload: Secret): S3Credentials {
  const object = parseObject(payload.reveal());
  if (object === null) throw unusable('its payload is not a JSON object');
  const values = new PayloadValues(object);
  const bucket = values.required('bucket', BUCKET);
  const ssl = values.flag('ssl', true);
  return {
    accessKeyId: new Secret(values.required('access_key_id')),
    secretAccessKey: new Secret(values.required('secret_access_key')),
    bucket,
    region: values.optional('region', WORD) ?? values.optional('region_name', WORD),
    endpointUrl: endpointOf(values.optional('endpoint_url'), ssl),
    ssl,
    sslVerify: values.flag('ssl_verify', true),
    sslCert: values.optional('ssl_cert', FILE),
    authVersion: values.optional('auth_version', WORD) ?? 'DEFAULT',
    signatureVersion: values.optional('signature_version', WORD) ?? 'default',
    exportName:
      values.optional('storage_nfs_export', EXPORT) ?? values.optional('storage_s3_export', EXPORT) ?? bucket,
    bucketObjectLock: values.flag('bucket_object_lock', false),
    useManifestSuffix: values.flag('use_manifest_suffix', false),
  };
}

/** The payload's values by the shortest spelling of their keys. */
class PayloadValues {
  readonly #values = new Map<string, unknown>();

  constructor(payload: Record<string, unknown>) {
    for (const [key, value] of Object.entries(payload)) {
      const short = key.toLowerCase().replace(/^vault_(s3_)?/, '').replace(/^aws_/, ''); // prettier-ignore
      if (value !== null && value !== '') this.#values.set(short, value);
    }
  }

  required(key: string, form?: RegExp): string {
    const value = this.optional(key, form);
    if (value === null) throw unusable(`"${key}" is missing`);
    return value;
  }

  optional(key: string, form?: RegExp): string | null {
    const value = this.#values.get(key);
    if (value === undefined) return null;
    if (typeof value !== 'string') throw unusable(`"${key}" is not a string`);
    if (/[\r\n\0]/.test(value)) throw unusable(`"${key}" holds a line break or a NUL`);
    if (form !== undefined && !form.test(value)) throw unusable(`"${key}" has a form that is not allowed`);
    return value;
  }

  flag(key: string, standard: boolean): boolean {
    const value = this.#values.get(key);
    if (value === undefined) return standard;
    const text = typeof value === 'boolean' || typeof value === 'string' ? String(value).toLowerCase() : '';
    if (text !== 'true' && text !== 'false') throw unusable(`"${key}" is neither true nor false`);
    return text === 'true';
  }
}

function endpointOf(value: string | null, ssl: boolean): string | null {
  if (value === null) return null;
  const text = /^[a-z]+:\/\//i.test(value) ? value : `${ssl ? 'https' : 'http'}://${value}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !PLAIN_URL.test(text) || url.username !== '' || url.password !== '') {
    throw unusable('"endpoint_url" is not a plain http or https URL: no user, query, commas or backslashes');
  }
  return text.replace(/\/+$/, '');
}

function unusable(problem: string): DmsError {
  return new DmsError('SECRET_UNAVAILABLE', `The secret cannot be used for an S3 target: ${problem}.`);
}
