export { type QueueState, RabbitMq, type RabbitMqOptions, type RabbitMqTls } from './broker/rabbitmq';
export { RabbitMqCluster } from './broker/rabbitmq-cluster';
export { GaleraCluster } from './database/galera-cluster';
export { GaleraNode } from './database/galera-node';
export { MariaDb, type MariaDbOptions } from './database/mariadb';
export { ReplicatedDatabase } from './database/replicated-database';
export { Ganesha } from './nfs/ganesha';
export { type NfsExport, type NfsExportRights } from './nfs/ganesha-configuration';
export { type CloudUser, PROJECTS, USERS, type UserName } from './openstack/accounts';
export { Barbican, type BarbicanOptions } from './openstack/barbican';
export { Cloud, type CloudOptions } from './openstack/cloud';
export { type CloudAddress, CloudClient, type SecretOptions } from './openstack/cloud-client';
export { CloudError } from './openstack/http';
export { Keystone, type KeystoneOptions } from './openstack/keystone';
export { Prometheus, type ScrapedTarget, type SeenAlert } from './prometheus/prometheus';
export { Rig, type RigAddresses, type RigOptions, type RigPart } from './rig';
export {
  type ObjectStoreAddress,
  ObjectStoreClient,
  ObjectStoreError,
  type StoredObject,
} from './s3/object-store-client';
export { Swift } from './s3/swift';
export type { S3Account } from './s3/swift-configuration';
export { Child, type ChildOptions } from './support/child';
export { type CommandOptions, type CommandResult, runCommand } from './support/command';
export { makeDirectory, removeDirectory, unmountBelow } from './support/directory';
export { cleanEnvironment, SYSTEM_PATH } from './support/environment';
export { isSameSignal } from './support/ending';
export { guardian, OWNER_VARIABLE } from './support/guardian';
export { freePort } from './support/ports';
export { groupMembers, processesWithVariable, processState } from './support/processes';
export { Service } from './support/service';
export { missingForSystemd, Systemd } from './systemd/systemd';
export { Guest, type GuestOptions, type GuestResult } from './uml/guest';
export { HOST_ADDRESS } from './uml/guest-script';
export { waitFor, type WaitOptions, within } from './support/wait';
