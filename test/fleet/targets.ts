import { randomUUID } from 'node:crypto';
import { CloudClient, ObjectStoreClient, type RigAddresses } from '../rig';

/** A bucket with its credentials in Barbican: what an S3 backup target is. */
export interface S3Target {
  readonly id: string;
  readonly bucket: string;
  readonly secretRef: string;
}

/** Makes backup targets and requests for them, on the private cloud and object store of a rig. */
export class Targets {
  readonly cloud: CloudClient;
  readonly store: ObjectStoreClient;
  readonly #addresses: Required<Pick<RigAddresses, 'cloud' | 's3'>>;

  constructor({ cloud, s3 }: RigAddresses) {
    if (cloud === undefined || s3 === undefined)
      throw new Error('Targets need the parts openstack and s3 of the rig');
    this.#addresses = { cloud, s3 };
    this.cloud = new CloudClient(cloud);
    this.store = new ObjectStoreClient(s3);
  }

  /** Stores credentials for a bucket as a secret; `changes` overwrite keys of its payload, undefined removes one. */
  async secret(bucket: string, changes: Record<string, string | undefined> = {}): Promise<string> {
    const payload = { ...this.credentials(bucket), ...changes };
    return this.cloud.storeSecret(await this.cloud.token('owner'), JSON.stringify(payload));
  }

  /** What the secret of a bucket holds. */
  credentials(bucket: string): Record<string, string> {
    const { s3 } = this.#addresses;
    return {
      bucket,
      region: s3.region,
      endpoint_url: s3.endpoint,
      aws_access_key_id: s3.accessKey,
      aws_secret_access_key: s3.secretKey,
    };
  }

  /** A new bucket as a target. `changes` are for its secret. */
  async s3(name = 'target', changes: Record<string, string> = {}): Promise<S3Target> {
    const bucket = `${name}-${randomUUID().slice(0, 8)}`;
    await this.store.createBucket(bucket);
    return { id: bucket, bucket, secretRef: await this.secret(bucket, changes) };
  }

  /** The body of a request, as the documentation shows it. `changes` are for `backup_target`. */
  async request(
    host: string,
    jobid: number,
    target: Pick<S3Target, 'id' | 'secretRef'>,
    changes: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    return {
      context: { user_id: 'user-123', tenant_id: 'tenant-456', project_id: 'project-789' },
      keystone_token: await this.cloud.token('owner'),
      job: {
        jobid,
        progress: 0,
        status: 'running',
        completed_at: null,
        action: 'backup',
        parent_jobid: null,
        job_details: [],
      },
      host,
      backup_target: {
        id: target.id,
        deleted: false,
        type: 's3',
        filesystem_export: null,
        filesystem_export_mount_path: null,
        status: 'available',
        secret_ref: target.secretRef,
        nfs_mount_opts: null,
        ...changes,
      },
    };
  }
}
