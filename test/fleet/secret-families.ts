import { type ObjectStoreAddress } from '../rig';

/** What a secret says of a bucket, in each of the ways in which such secrets have been stored. */
export const SECRET_FAMILIES: Readonly<
  Record<string, (bucket: string, s3: ObjectStoreAddress) => Record<string, unknown>>
> = {
  prototype: (bucket, s3) => ({
    bucket,
    region: s3.region,
    endpoint_url: s3.endpoint,
    aws_access_key_id: s3.accessKey,
    aws_secret_access_key: s3.secretKey,
  }),
  plain: (bucket, s3) => ({
    bucket,
    region_name: s3.region,
    endpoint_url: new URL(s3.endpoint).host,
    ssl: false,
    access_key_id: s3.accessKey,
    secret_access_key: s3.secretKey,
  }),
  vault: (bucket, s3) => ({
    vault_s3_bucket: bucket,
    vault_s3_region: s3.region,
    vault_s3_endpoint_url: s3.endpoint,
    vault_s3_aws_access_key_id: s3.accessKey,
    vault_s3_aws_secret_access_key: s3.secretKey,
  }),
  published: (bucket, s3) => ({
    VAULT_S3_BUCKET: bucket,
    VAULT_S3_REGION_NAME: s3.region,
    VAULT_S3_ENDPOINT_URL: s3.endpoint,
    VAULT_S3_ACCESS_KEY_ID: s3.accessKey,
    VAULT_S3_SECRET_ACCESS_KEY: s3.secretKey,
    VAULT_S3_SSL: 'False',
    VAULT_S3_SSL_VERIFY: 'True',
    VAULT_STORAGE_S3_EXPORT: `${new URL(s3.endpoint).host}/${bucket}`,
  }),
};
