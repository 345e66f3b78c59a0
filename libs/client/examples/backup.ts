import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DmsClient, MountLostError, ServiceError } from '@dynamic-mount-service/client';

const { DMS_API_URL = 'http://127.0.0.1:8090', NODE = hostname(), JOB_ID, VM_ID, VM_DISK = '' } = process.env;
const { TARGET_ID = '', SECRET_REF, KEYSTONE_TOKEN = '' } = process.env;

const client = new DmsClient({ url: DMS_API_URL, keystoneToken: KEYSTONE_TOKEN });

/** Copies the disk of a virtual machine to the backup target, and writes beside it what it is. */
async function backup(): Promise<void> {
  const request = {
    job: { jobid: Number(JOB_ID), action: 'backup' },
    host: NODE,
    backup_target: { id: TARGET_ID, type: 's3' as const, secret_ref: SECRET_REF },
    // A job that dies without its unmount holds the target no longer than this and a grace.
    lease_s: 60,
  };
  await client.withMount(
    request,
    async ({ mountPath, signal }) => {
      const directory = join(mountPath, `vm-${VM_ID}`);
      await mkdir(directory, { recursive: true });
      // The signal ends the copying where the mount breaks: nothing is written beside the target.
      // An earlier backup stays until the new one is whole.
      const image = join(directory, 'disk.img');
      await pipeline(createReadStream(VM_DISK), createWriteStream(`${image}.new`), { signal });
      await rename(`${image}.new`, image);
      const metadata = { vm_id: VM_ID, job: Number(JOB_ID), written_at: new Date().toISOString() };
      await writeFile(join(directory, 'metadata.json'), JSON.stringify(metadata), { signal });
    },
    { processSignals: true },
  );
  console.log(`Backed up VM ${VM_ID}`);
}

backup()
  .catch((error: unknown) => {
    process.exitCode = 1;
    if (error instanceof MountLostError) console.error(`The target was lost on the way: ${error.message}`);
    else if (error instanceof ServiceError) console.error(`${error.code}: ${error.message}\n${error.remedy}`);
    else console.error('The backup failed:', error);
  })
  .finally(() => client.close());
