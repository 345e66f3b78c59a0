import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { NODE_DIFFERENCES, RECONCILE_OUTCOMES, STATE_EVENT_KINDS } from '@app/contracts';
import { type Happening, observe, type Observer, type PhaseEnd, REPLY_PROBLEMS } from '@app/platform';
import { DURATION_BUCKETS, MetricsPage } from '@app/platform/metrics';
import { Counter, Histogram } from 'prom-client';
import { type CommittedChanges } from '../ledger/changes';
import { TargetLedger } from '../ledger/target-ledger';

const NONE = 'none';
const SECRET_CODES = ['SECRET_UNAVAILABLE', 'AUTH_EXPIRED'];
/** Streams of events last for hours: their time says nothing. */
const STREAMS = '/api/v1/events';

/** What this process counts and times. */
@Injectable()
export class ClientMetrics implements Observer, OnModuleDestroy {
  readonly #operations: Counter<'action' | 'result' | 'code'>;
  readonly #changes: Counter<'kind'>;
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #requestSeconds: Histogram<'method' | 'route'>;
  readonly #phaseSeconds: Histogram<'phase' | 'action' | 'result'>;
  readonly #commands: Counter<'action' | 'code'>;
  readonly #lockTimeouts: Counter<'lock'>;
  readonly #skipped: Counter;
  readonly #drift: Counter<'kind' | 'outcome'>;
  readonly #repliesRefused: Counter<'problem'>;
  readonly #end: () => void;

  constructor({ registry }: MetricsPage, ledger: TargetLedger) {
    const registers = [registry];
    this.#operations = new Counter({
      name: 'dms_operations_total',
      help: 'Operations that ended in this process, by action, result and error code.',
      labelNames: ['action', 'result', 'code'],
      registers,
    });
    this.#changes = new Counter({
      name: 'dms_state_changes_total',
      help: 'Changes that this process has committed, as GET /api/v1/events tells them.',
      labelNames: ['kind'],
      registers,
    });
    this.#requests = new Counter({
      name: 'dms_http_requests_total',
      help: 'HTTP requests that were answered; status 499: the caller hung up.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#requestSeconds = new Histogram({
      name: 'dms_http_request_duration_seconds',
      help: 'Seconds from an HTTP request to its answer; without the streams of events.',
      labelNames: ['method', 'route'],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#phaseSeconds = new Histogram({
      name: 'dms_phase_duration_seconds',
      help: 'Seconds that the phases of the work took.',
      labelNames: ['phase', 'action', 'result'],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#commands = new Counter({
      name: 'dms_commands_total',
      help: 'Commands to nodes, by what they came to.',
      labelNames: ['action', 'code'],
      registers,
    });
    this.#lockTimeouts = new Counter({
      name: 'dms_lock_timeouts_total',
      help: 'Waits that were given up: for the lease of a target, or for the lock of its row.',
      labelNames: ['lock'],
      registers,
    });
    this.#skipped = new Counter({
      name: 'dms_unmounts_skipped_total',
      help: 'Unmounts that left the mount to others that hold it.',
      registers,
    });
    this.#drift = new Counter({
      name: 'dms_drift_total',
      help: 'Differences between ledger and node that reconciling found, and what became of them.',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.#repliesRefused = new Counter({
      name: 'dms_replies_refused_total',
      help: 'Replies that were ignored, for they were not shown to be of the node that was asked.',
      labelNames: ['problem'],
      registers,
    });
    this.#beginAtZero();
    ledger.onCommit((_, committed) => this.#committed(committed));
    this.#end = observe(this);
  }

  onModuleDestroy(): void {
    this.#end();
  }

  phaseEnded({ phase, attributes, seconds, code }: PhaseEnd): void {
    if (phase === 'request') {
      const { http_method: method = NONE, http_route: route = NONE, http_status: status = 0 } = attributes;
      this.#requests.inc({ method, route, status });
      if (route !== STREAMS) this.#requestSeconds.observe({ method, route }, seconds);
      return;
    }
    const { action = NONE } = attributes;
    this.#phaseSeconds.observe({ phase, action, result: code === null ? 'success' : 'error' }, seconds);
    if (phase === 'rpc') this.#commands.inc({ action, code: code ?? NONE });
    if (code !== 'LOCK_TIMEOUT') return;
    if (phase === 'lock_wait') this.#lockTimeouts.inc({ lock: 'lease' });
    if (phase === 'ledger') this.#lockTimeouts.inc({ lock: 'row' });
  }

  happened(happening: Happening): void {
    if (happening.what === 'unmount_skipped') this.#skipped.inc();
    if (happening.what === 'reply_refused') this.#repliesRefused.inc({ problem: happening.problem });
    if (happening.what !== 'drift') return;
    const { kind, outcome } = happening;
    this.#drift.inc({ kind, outcome });
  }

  /** What is alerted on is there from the beginning: an increase from nothing would not be seen. */
  #beginAtZero(): void {
    for (const lock of ['lease', 'row']) this.#lockTimeouts.inc({ lock }, 0);
    for (const problem of REPLY_PROBLEMS) this.#repliesRefused.inc({ problem }, 0);
    for (const kind of STATE_EVENT_KINDS) this.#changes.inc({ kind }, 0);
    for (const kind of NODE_DIFFERENCES)
      for (const outcome of RECONCILE_OUTCOMES) this.#drift.inc({ kind, outcome }, 0);
    for (const action of ['mount', 'unmount'] as const) {
      this.#requests.inc({ method: 'POST', route: `/api/v1/${action}`, status: 504 }, 0);
      this.#operations.inc({ action, result: 'success', code: NONE }, 0);
      for (const code of SECRET_CODES) this.#operations.inc({ action, result: 'error', code }, 0);
    }
  }

  #committed({ changes }: CommittedChanges): void {
    for (const { kind, operation } of changes) {
      this.#changes.inc({ kind });
      if (kind !== 'operation_ended' || operation === null) continue;
      const { action, status, error_code: code } = operation;
      this.#operations.inc({ action, result: status, code: code ?? NONE });
    }
  }
}
