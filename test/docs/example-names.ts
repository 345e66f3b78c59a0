import { type ClientProcess } from '../fleet/client-process';
import { type Fleet } from '../fleet/fleet';
import { type NodeProcess } from '../fleet/node-process';
import { type S3Target } from '../fleet/targets';

/** What stands on the machine of the tests for the names that the documents use. */
export interface Stage {
  readonly fleet: Fleet;
  readonly node: NodeProcess;
  readonly client: ClientProcess;
  readonly target: S3Target;
  readonly authUrl: string;
  /** The node of the README, whose dms-server the README starts. */
  readonly firstNode: string;
  /** In the place of /etc/trilio-dms and of /var/lock/trilio-dms. */
  readonly configuration: string;
  readonly locks: string;
}

/** A documented command with the names of the stage in the place of the example's. */
export function onStage(command: string, stage: Stage): string {
  return exampleNames(stage).reduce((text, [example, name]) => text.replaceAll(example, name), command);
}

/** Longer examples first: a shorter one may be a part of them. */
function exampleNames({ fleet, node, client, target, ...stage }: Stage): readonly [string, string][] {
  return [
    ['amqp://user:password@rabbit.example:5672', fleet.brokerUrl],
    ['mysql://user:password@db.example:3306/trilio_dms', fleet.databaseUrl],
    ['http://keystone.example:5000/v3', stage.authUrl],
    ['http://barbican.example:9311/v1/secrets/<uuid>', target.secretRef],
    ['http://127.0.0.1:8090', client.url],
    ['http://127.0.0.1:8091', node.healthUrl.replace(/\/health$/, '')],
    ['/var/lib/trilio/triliovault-mounts', node.base],
    ['/run/dms', node.runDirectory],
    ['/etc/trilio-dms', stage.configuration],
    ['/var/lock/trilio-dms', stage.locks],
    ['$(hostname)', stage.firstNode],
    ['compute-01', node.host],
    ['nightly', target.id],
    ['trilio_dms', new URL(fleet.databaseUrl).pathname.slice(1)],
  ];
}
