import { Inject, Injectable } from '@nestjs/common';
import { BrokerAlarm } from '@app/platform';
import { MetricsPage } from '@app/platform/metrics';
import { Gauge } from 'prom-client';
import { NodeCommandServer } from '../commands/node-command.server';
import { FENCE_MEMORY, type FenceMemory } from '../fence/fence-memory.interface';
import { FenceService } from '../fence/fence.service';
import { HungMounts } from '../mounts/hung-mounts';
import { TargetQueues } from '../mounts/target-queue';
import { ServerBreaker } from '../providers/nfs/server-breaker';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { MountDoubts } from '../watch/mount-doubts';

const TARGET_TYPES = ['s3', 'nfs'] as const;

/** What this process knows without asking anybody. */
@Injectable()
export class NodeGauges {
  constructor(
    { registry }: MetricsPage,
    @Inject(SETTINGS) settings: ServerSettings,
    @Inject(FENCE_MEMORY) memory: FenceMemory,
    commands: NodeCommandServer,
    alarm: BrokerAlarm,
    fences: FenceService,
    queues: TargetQueues,
    hung: HungMounts,
    doubts: MountDoubts,
    breaker: ServerBreaker,
  ) {
    const gauge = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(value());
        },
      });
    };
    gauge('dms_node_broker_connected', '1 while commands are consumed from the message broker.', () =>
      commands.isConsuming ? 1 : 0,
    );
    gauge(
      'dms_node_legacy_queue_up',
      '1 while the queue dms.<node> is consumed, by which Python programs and older versions reach the node.',
      () => (commands.isLegacyUp ? 1 : 0),
    );
    gauge(
      'dms_node_broker_blocked',
      '1 while the message broker blocks this node as a publisher: its memory or disk is short.',
      () => (alarm.reason === null ? 0 : 1),
    );
    gauge('dms_node_memory_usable', '1 while epochs can be remembered; commands are refused else.', () =>
      memory.problem() === null ? 1 : 0,
    );
    gauge('dms_node_commands_waiting', 'Commands that wait behind others of their targets.', () => {
      return queues.waiting.inAll;
    });
    gauge(
      'dms_node_commands_waiting_max',
      'Commands that wait for the target for which most do; at dms_node_queue_limit the next one is BUSY.',
      () => queues.waiting.most,
    );
    gauge('dms_node_queue_limit', 'Commands that may wait for one target (DMS_QUEUE_LIMIT).', () => {
      return settings.queueLimit;
    });
    gauge('dms_node_hung_mounts', 'Mounts whose FUSE daemon hangs.', () => hung.count);
    gauge(
      'dms_node_doubtful_mounts',
      'NFS mounts that gave no good answer when they were last asked.',
      () => {
        return doubts.count;
      },
    );
    gauge(
      'dms_node_silent_nfs_servers',
      'NFS servers that did not answer when they were last asked.',
      () => breaker.silentServers,
    );
    new Gauge({
      name: 'dms_node_mounts',
      help: 'Targets that this node remembers as mounted, by type.',
      labelNames: ['target_type'],
      registers: [registry],
      collect() {
        const types = fences.records().flatMap(({ mountedAs }) => mountedAs?.type ?? []);
        for (const target_type of TARGET_TYPES)
          this.set({ target_type }, types.filter((type) => type === target_type).length);
      },
    });
  }
}
