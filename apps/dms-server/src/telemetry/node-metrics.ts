import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { NODE_EVENT_KINDS } from '@app/contracts';
import { type Happening, observe, type Observer, type PhaseEnd } from '@app/platform';
import { DURATION_BUCKETS, MetricsPage } from '@app/platform/metrics';
import { Counter, Histogram } from 'prom-client';

const NONE = 'none';

/** What this node counts and times. */
@Injectable()
export class NodeMetrics implements Observer, OnModuleDestroy {
  readonly #commands: Counter<'action' | 'result' | 'code'>;
  readonly #phaseSeconds: Histogram<'phase' | 'action' | 'target_type' | 'result'>;
  readonly #started: Counter;
  readonly #failed: Counter<'how'>;
  readonly #seen: Counter<'kind'>;
  /** Whose process has failed and was counted, until they get another one. */
  readonly #failedTargets = new Set<string>();
  readonly #end: () => void;

  constructor({ registry }: MetricsPage) {
    const registers = [registry];
    this.#commands = new Counter({
      name: 'dms_node_commands_total',
      help: 'Commands that were answered, by action, result and error code; action "refused": what could not be understood, or was delivered before; "dropped": what its caller waits for no more.',
      labelNames: ['action', 'result', 'code'],
      registers,
    });
    this.#phaseSeconds = new Histogram({
      name: 'dms_node_phase_duration_seconds',
      help: 'Seconds that the phases of the work on this node took.',
      labelNames: ['phase', 'action', 'target_type', 'result'],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#started = new Counter({
      name: 'dms_node_fuse_starts_total',
      help: 'FUSE processes that were started.',
      registers,
    });
    this.#failed = new Counter({
      name: 'dms_node_fuse_failures_total',
      help: 'FUSE processes that ended or hung under a mount that was not to be taken away.',
      labelNames: ['how'],
      registers,
    });
    this.#seen = new Counter({
      name: 'dms_node_mount_events_total',
      help: 'What the watch saw happen to mounts.',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of NODE_EVENT_KINDS) this.#seen.inc({ kind }, 0);
    for (const how of ['ended', 'hung']) this.#failed.inc({ how }, 0);
    this.#end = observe(this);
  }

  onModuleDestroy(): void {
    this.#end();
  }

  phaseEnded({ phase, attributes, seconds, code }: PhaseEnd): void {
    const { action = NONE, target_type = NONE } = attributes;
    const result = code === null ? 'success' : 'error';
    this.#phaseSeconds.observe({ phase, action, target_type, result }, seconds);
    if (phase === 'command') this.#commands.inc({ action, result, code: code ?? NONE });
  }

  happened(happening: Happening): void {
    switch (happening.what) {
      case 'fuse_process_started':
        this.#failedTargets.delete(happening.targetId);
        return this.#started.inc();
      case 'fuse_process_failed':
        return this.#countFailure(happening.targetId, happening.how);
      case 'mount_seen':
        return this.#seen.inc({ kind: happening.kind });
      case 'drift':
      case 'unmount_skipped':
      case 'reply_refused':
    }
  }

  #countFailure(targetId: string, how: string): void {
    if (this.#failedTargets.has(targetId)) return;
    this.#failedTargets.add(targetId);
    this.#failed.inc({ how });
  }
}
