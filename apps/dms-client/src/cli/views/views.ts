import {
  type BindingDto,
  type BindingListDto,
  type BindingStatusDto,
  type CleanupResponseDto,
  type HistoryDto,
  type LockListDto,
  type MountResponseDto,
  type NodeDetailDto,
  type NodeDto,
  type NodeListDto,
  type OperationDto,
  type OperationListDto,
  type ReconcileResponseDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type Cell, type Table, type View } from './view';

/** What people see of the answers. */

export function mountView(body: MountResponseDto): View {
  return [
    body.success_msg ?? '',
    {
      facts: [
        ['mount path', body.mount_path],
        ['joined a mount', body.reused_existing],
        ['hold', body.hold_id],
        ['operation', body.operation_id],
      ],
    },
  ];
}

/** What went wrong is told once, as a warning. */
export function unmountView(body: UnmountResponseDto): View {
  return [
    ...(body.error_code === null ? [body.success_msg ?? ''] : []),
    {
      facts: [
        ['mount path', body.mount_path],
        ['unmounted', body.unmounted],
        ['still mounted', body.physically_mounted],
        ['held by jobs', body.active_mounts_remaining],
        ['operation', body.operation_id],
      ],
    },
  ];
}

export function bindingView(body: BindingStatusDto): View {
  const { verified } = body;
  return [
    {
      facts: [
        ['job', body.jobid],
        ['target', body.backup_target_id],
        ['host', body.host],
        ['state', body.state],
        ['mount path', body.mount_path],
        ['mount', body.mount_state],
        ['created', body.created_at],
        ['updated', body.updated_at],
        ['operation', body.operation_id],
      ],
    },
    ...(verified === undefined
      ? []
      : [
          {
            title: 'As the node sees it:',
            facts: [
              ['mount', verified.state],
              ['mount path', verified.mount_path],
              ['agrees', verified.agrees],
              ['problem', verified.error_msg],
            ] as const,
          },
        ]),
  ];
}

export function bindingsView({ bindings, next_cursor }: BindingListDto): View {
  const row = (b: BindingDto): Cell[] => [
    b.jobid,
    b.backup_target_id,
    b.host,
    b.state,
    ...(b.state === 'released' ? [null, null] : [b.mount_path, b.mount_state]),
    b.updated_at,
  ];
  const columns = ['JOB', 'TARGET', 'HOST', 'STATE', 'MOUNT PATH', 'MOUNT', 'UPDATED'];
  return [{ columns, rows: bindings.map(row), empty: 'No bindings.' }, ...more(next_cursor)];
}

export function historyView({ operations }: HistoryDto): View {
  return [operationTable(operations)];
}

export function operationsView({ operations, next_cursor }: OperationListDto): View {
  return [operationTable(operations), ...more(next_cursor)];
}

export function operationView(body: OperationDto): View {
  return [
    {
      facts: [
        ['operation', body.id],
        ['action', body.action],
        ['status', body.status],
        ['error', body.error_code],
        ['message', body.error_msg ?? body.success_msg],
        ['job', body.jobid],
        ['target', body.backup_target_id],
        ['host', body.host],
        ['mount path', body.mount_path],
        ['epoch', body.epoch],
        ['created', body.created_at],
        ['completed', body.completed_at],
      ],
    },
  ];
}

export function nodesView({ nodes, warning }: NodeListDto): View {
  const row = (node: NodeDto): Cell[] => [
    node.host,
    node.state,
    node.last_seen,
    node.version,
    node.bases.join(', '),
    problemsOf(node).join('; '),
  ];
  const columns = ['HOST', 'STATE', 'LAST SEEN', 'VERSION', 'BASES', 'PROBLEM'];
  return [...(warning ? [warning] : []), { columns, rows: nodes.map(row), empty: 'No nodes are known.' }];
}

function problemsOf({ host, problem, refused_key_id, other_ledger, legacy_queue_lost }: NodeDto): string[] {
  return [
    ...(problem === null ? [] : [problem]),
    ...(refused_key_id === null ? [] : [`a hello with another key was refused (${refused_key_id})`]),
    ...(other_ledger === null ? [] : [`serves another ledger (${other_ledger})`]),
    ...(legacy_queue_lost ? [`has lost the queue dms.${host}: legacy callers do not reach it`] : []),
  ];
}

export function nodeView(body: NodeDetailDto): View {
  return [
    {
      facts: [
        ['host', body.host],
        ['state', body.state],
        ['problem', body.problem],
        ['last seen', body.last_seen],
        ['version', body.version],
        ['bases', body.bases.join(', ')],
        ['incarnation', body.incarnation],
        ['key', body.key_id],
        ['key refused', body.refused_key_id],
        ['signs its replies', body.signs_replies ? 'yes' : 'no'],
        ['serves another ledger', body.other_ledger],
        [
          'legacy queue',
          body.legacy_queue_lost ? `lost: legacy callers do not reach dms.${body.host}` : null,
        ],
        ['problem', body.error_msg],
      ],
    },
    ...inventoryTables(body),
  ];
}

function inventoryTables({ inventory, differences }: NodeDetailDto): Table[] {
  if (inventory === null) return [];
  return [
    {
      title: 'Mounts:',
      columns: ['TARGET', 'STATE', 'MOUNT PATH', 'TYPE', 'PID'],
      rows: inventory.mounts.map((m) => [m.backup_target_id, m.state, m.mount_path, m.fstype, m.pid]),
      empty: 'None.',
    },
    {
      title: 'FUSE processes:',
      columns: ['TARGET', 'PID', 'ALIVE', 'MEMORY', 'CPU %', 'STARTED'],
      rows: inventory.processes.map((p) => [
        p.backup_target_id,
        p.pid,
        p.alive,
        p.rss_bytes === null ? null : `${Math.round(p.rss_bytes / 1_048_576)} MiB`,
        p.cpu_percent,
        p.started_at,
      ]),
      empty: 'None.',
    },
    {
      title: 'Differences to the ledger:',
      columns: ['KIND', 'TARGET', 'MOUNT PATH', 'LEDGER', 'NODE'],
      rows: (differences ?? []).map((d) => [
        d.kind,
        d.backup_target_id,
        d.mount_path,
        d.ledger_state,
        d.node_state,
      ]),
      empty: 'None.',
    },
  ];
}

export function cleanupView(body: CleanupResponseDto): View {
  return [
    body.success_msg ?? '',
    {
      columns: ['JOB', 'TARGET', 'HOST', 'STATE', 'UPDATED'],
      rows: body.entries.map((e) => [e.jobid, e.backup_target_id, e.host, e.state, e.updated_at]),
      empty: 'No stale entries.',
    },
  ];
}

export function locksView({ locks }: LockListDto): View {
  return [
    {
      columns: ['HOST', 'TARGET', 'PROCESS', 'RUNS OUT', 'HAS RUN OUT', 'WAITING', 'SINCE'],
      rows: locks.map((lock) => [
        lock.host,
        lock.backup_target_id,
        lock.owner,
        lock.expires_at,
        lock.expired,
        lock.waiting,
        lock.waiting_since,
      ]),
      empty: 'No target is locked.',
    },
  ];
}

export function reconcileView(body: ReconcileResponseDto): View {
  return [
    body.success_msg ?? body.error_msg ?? '',
    {
      columns: ['HOST', 'KIND', 'TARGET', 'MOUNT PATH', 'OUTCOME', 'LEDGER', 'NODE', 'NOW', 'WHY'],
      rows: body.differences.map((d) => [
        d.host,
        d.kind,
        d.backup_target_id,
        d.mount_path,
        d.outcome,
        d.ledger_state,
        d.node_state,
        d.state_after,
        d.problem,
      ]),
      empty: noDifferences(body),
    },
  ];
}

function noDifferences({ hosts, unreachable, not_compared = [] }: ReconcileResponseDto): string {
  if (hosts.length === 0) return not_compared.length > 0 ? 'Nothing was compared.' : 'No node is known.';
  if (unreachable.length === 0) return 'No differences.';
  return unreachable.length < hosts.length
    ? 'No differences on the nodes that answered.'
    : 'Nothing was compared: no node answered.';
}

function operationTable(operations: readonly OperationDto[]): Table {
  return {
    columns: ['CREATED', 'ACTION', 'STATUS', 'JOB', 'TARGET', 'HOST', 'RESULT', 'OPERATION'],
    rows: operations.map((o) => [
      o.created_at,
      o.action,
      o.status,
      o.jobid,
      o.backup_target_id,
      o.host,
      o.error_code ?? o.mount_path,
      o.id,
    ]),
    empty: 'No operations.',
  };
}

function more(cursor: string | null): string[] {
  return cursor === null ? [] : [`There are more: --cursor ${cursor}`];
}
