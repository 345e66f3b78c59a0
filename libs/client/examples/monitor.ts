import { DmsClient } from '@dynamic-mount-service/client';

const { DMS_API_URL = 'http://127.0.0.1:8090', DMS_API_TOKEN, NODE } = process.env;

const client = new DmsClient({ url: DMS_API_URL, token: DMS_API_TOKEN });

/** Shows what is held on a node, and then what happens there until the first mount goes. */
async function monitor(): Promise<void> {
  const show = async (): Promise<void> => {
    const active = await client.getActiveMounts({ host: NODE });
    console.log(`Active mounts: ${active.length}`);
    for (const { backup_target_id, jobid, mount_path, created_at } of active) {
      console.log(`${backup_target_id} for job ${jobid} at ${mount_path} since ${created_at}`);
    }
  };
  // What happens between two connections is not always told afterwards: the state is asked for at each.
  const onConnect = (): void => void show().catch(console.error);
  for await (const { kind, backup_target_id, jobids } of client.events({ host: NODE }, { onConnect })) {
    console.log(`${kind} ${backup_target_id} ${jobids.join(' ')}`);
    if (kind === 'unmounted') break;
  }
}

monitor()
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  })
  .finally(() => client.close());
