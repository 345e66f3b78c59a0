import {
  BusyError,
  DmsClient,
  MountFailedError,
  RequestTimeoutError,
  verifyMount,
} from '@dynamic-mount-service/client';

const { DMS_API_URL = 'http://127.0.0.1:8090', NODE = '', JOB_ID, TARGET_ID = '', SECRET_REF } = process.env;
const { KEYSTONE_TOKEN = '' } = process.env;

/** Mounts, looks, and unmounts, each by its own call. */
async function main(): Promise<void> {
  await using client = new DmsClient({ url: DMS_API_URL, keystoneToken: () => KEYSTONE_TOKEN, retries: 5 });
  const request = {
    job: { jobid: Number(JOB_ID) },
    host: NODE,
    backup_target: { id: TARGET_ID, type: 's3' as const, secret_ref: SECRET_REF },
  };
  try {
    const mounted = await client.mount(request, { signal: AbortSignal.timeout(60_000) });
    await verifyMount(mounted);
    const status = await client.getMountStatus({
      jobid: Number(JOB_ID),
      backup_target_id: TARGET_ID,
      host: NODE,
    });
    console.log(`${status?.state} at ${mounted.mount_path}`);
  } catch (error) {
    if (error instanceof MountFailedError) console.error(`The node could not mount it: ${error.message}`);
    else if (error instanceof BusyError) console.error(`An old mount is still used: ${error.message}`);
    else if (error instanceof RequestTimeoutError) console.error(`Unknown (operation ${error.operationId})`);
    else throw error;
  } finally {
    const { unmounted, active_mounts_remaining } = await client.unmount(request);
    console.log(unmounted ? 'unmounted' : `left to ${active_mounts_remaining} other job(s)`);
  }
  for (const { action, status } of await client.getLedgerHistory(TARGET_ID, { limit: 2 })) {
    console.log(`${action}: ${status}`);
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
