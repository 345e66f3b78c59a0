import { type RigAddresses } from '../rig';
import { type Fleet } from '../fleet/fleet';
import { say, step } from './say';

const DMS = 'node dist/apps/dms-client/src/cli/main.js';

/** Tells commands with which a person tries what is kept. Each works as it is printed, in this order and in one shell. */
export async function tellHowToTry(fleet: Fleet, { cloud }: RigAddresses): Promise<void> {
  if (cloud === undefined) throw new Error('The demo needs the part openstack of the rig');
  const { node, targets, api } = fleet;
  const target = await targets.s3('try');
  const what = `--target-id ${target.id} --target-type s3 --host ${node.host} --secret-ref ${target.secretRef}`;
  step('What a dms-server and a dms-client of your own would need');
  say(`export DMS_RABBITMQ_URL=${fleet.brokerUrl}`);
  say(`export DMS_DB_URL=${fleet.databaseUrl}`);
  say(`export DMS_AUTH_URL=${cloud.authUrl}`);
  step(`Everything stays up until ctrl-C, or "kill ${process.pid}". In another terminal, in this directory:`);
  say(`export DMS_API_URL=${api.url}`);
  say(`export KEYSTONE_TOKEN=${await targets.cloud.token('owner')}`);
  say(`${DMS} mount --job-id 1 ${what}`);
  say(`${DMS} list-mounts`);
  say(`${DMS} run --job-id 2 ${what} -- sh -c 'date >"$DMS_MOUNT_PATH"/now; ls -l "$DMS_MOUNT_PATH"'`);
  say(`export DMS_RUN_DIR=${node.runDirectory} DMS_PID_DIR=${node.pidDirectory}`);
  say(`node dist/apps/dms-server/src/main.js processes`);
  say(`${DMS} unmount --job-id 1 ${what}`);
  say(`${DMS} nodes ${node.host}`);
  say(`curl ${api.url}/api/v1/operations`);
  step('A secret of your own, for another bucket; it answers with the URL for --secret-ref:');
  const { bucket } = await targets.s3('own');
  const payload = JSON.stringify(targets.credentials(bucket));
  const body = JSON.stringify({ name: bucket, payload_content_type: 'text/plain', payload });
  say(`curl -sS -H "X-Auth-Token: $KEYSTONE_TOKEN" -H 'Content-Type: application/json' \\`);
  say(`  -d '${body}' \\`);
  say(`  ${cloud.keyManagerUrl}/v1/secrets`);
  say(`OpenAPI: ${api.url}/docs`);
}
