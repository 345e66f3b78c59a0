import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DmsClient } from '@dynamic-mount-service/client';

const { DMS_API_URL = 'http://127.0.0.1:8090', NODE = hostname(), JOB_ID, VM_ID, VM_DISK = '' } = process.env;
const { TARGET_ID = '', SECRET_REF, KEYSTONE_TOKEN = '' } = process.env;

/** Copies a disk back from the backup target, which is mounted read-only for that. */
async function restore(): Promise<void> {
  await using client = new DmsClient({ url: DMS_API_URL, keystoneToken: KEYSTONE_TOKEN });
  await using mount = await client.acquire({
    job: { jobid: Number(JOB_ID), action: 'restore' },
    host: NODE,
    backup_target: { id: TARGET_ID, type: 's3', secret_ref: SECRET_REF },
    read_only: true,
    lease_s: 60,
  });
  const directory = join(mount.mountPath, `vm-${VM_ID}`);
  const { vm_id } = JSON.parse(await readFile(join(directory, 'metadata.json'), 'utf8')) as { vm_id: string };
  if (vm_id !== VM_ID) throw new Error(`The backup is of VM ${vm_id}`);
  const { signal } = mount;
  await pipeline(createReadStream(join(directory, 'disk.img')), createWriteStream(VM_DISK), { signal });
  console.log(`Restored VM ${VM_ID}`);
} // Here the target is unmounted, whatever happened before.

restore().catch((error: unknown) => {
  console.error('The restore failed:', error);
  process.exitCode = 1;
});
