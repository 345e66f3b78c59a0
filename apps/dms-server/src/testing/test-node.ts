import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { type MountUser, type NodeCommand, parseCommand } from '@app/contracts';
import { CommandContext } from '../commands/command.context';
import { type CommandResult } from '../commands/command-result';
import { deadlineIn } from '../providers/deadlines';
import { FileFenceMemory } from '../fence/fence-memory.repository';
import { FenceService } from '../fence/fence.service';
import { InventoryService } from '../inventory/inventory.service';
import { AbsenceService } from '../mounts/absence.service';
import { type MountCopies } from '../kernel/mount-copies.interface';
import { CopiedMounts } from '../mounts/copied-mounts';
import { FlushFailures } from '../mounts/flush-failures';
import { HungMounts } from '../mounts/hung-mounts';
import { LooksService } from '../mounts/looks.service';
import { MountsService } from '../mounts/mounts.service';
import { ObservationService } from '../mounts/observation.service';
import { TargetCommandsService } from '../mounts/target-commands.service';
import { TargetQueues } from '../mounts/target-queue';
import { UnmountsService } from '../mounts/unmounts.service';
import { loadServerSettings, type ServerSettings } from '../settings/server.settings';
import { FakeKernel } from './fake-kernel';
import { FakeProvider } from './fake-provider';

export const NODE = 'node-1';
export const BASE = '/srv/mounts';
export const BOOT = '11111111-1111-4111-8111-111111111111';
const OPERATION_PREFIX = '00000000-0000-4000-8000-';

// What the services log is of no interest to tests.
Logger.overrideLogger(false);

/** The node's services over a fake kernel and a real memory in a directory of its own. */
export class TestNode {
  readonly runDir = mkdtempSync(join(tmpdir(), 'dms-node-'));
  readonly settings: ServerSettings;
  readonly kernel = new FakeKernel();
  readonly nfs = new FakeProvider('nfs', this.kernel);
  readonly s3 = new FakeProvider('s3', this.kernel);
  readonly hung = new HungMounts();
  /** Who is found to use a mount. */
  users: readonly MountUser[] = [{ pid: 42, command: 'tar', path: `${BASE}/t1/file` }];
  /** No other namespace has anything, unless a test says so. */
  copies: MountCopies = {
    find: (_targetId, layer) => Promise.resolve({ layer, copies: [] }),
    left: (_targetId, before) => Promise.resolve(before),
  };
  fences!: FenceService;
  queues!: TargetQueues;
  looks!: LooksService;
  commands!: TargetCommandsService;
  inventory!: InventoryService;
  observations!: ObservationService;
  #lastOperation = 0;

  /** @param incarnation that of a memory which is there already */
  constructor(env: Record<string, string> = {}, incarnation?: string) {
    this.settings = loadServerSettings({
      DMS_CONFIG_FILE: '/nonexistent',
      DMS_RABBITMQ_URL: 'amqp://127.0.0.1:1',
      DMS_NODE_ID: NODE,
      DMS_MOUNT_BASE: BASE,
      DMS_RUN_DIR: this.runDir,
      ...env,
    });
    if (incarnation !== undefined) {
      writeFileSync(join(this.runDir, 'node.json'), JSON.stringify({ incarnation, boot_id: BOOT }));
    }
    this.restart();
  }

  /** As a new dms-server in the same boot, or after a reboot. */
  restart(bootId = BOOT): void {
    this.fences = new FenceService(new FileFenceMemory(this.runDir, bootId));
    this.queues = new TargetQueues(this.settings.queueLimit);
    const { kernel, settings, fences, queues } = this;
    const providers = [this.s3, this.nfs];
    this.observations = new ObservationService(
      settings,
      kernel,
      kernel,
      kernel,
      providers,
      fences,
      this.hung,
    );
    const users = { usersOf: () => Promise.resolve([...this.users]) };
    const heartbeat = {
      ask: () => Promise.resolve('answers' as const),
      withdraw: (targetId: string) => {
        kernel.log.push(`withdraw ${targetId}`);
        return Promise.resolve();
      },
    };
    const { observations } = this;
    const absence = new AbsenceService(kernel, observations, fences);
    this.looks = new LooksService(observations, fences, queues, absence);
    this.inventory = new InventoryService(settings, kernel, fences, this.looks, this.s3);
    const flushFailures = new FlushFailures(kernel, fences);
    const mounts = new MountsService(settings, kernel, kernel, observations, fences, queues, absence);
    const copies = new CopiedMounts(this.copies);
    const unmounts = new UnmountsService(
      settings,
      users,
      heartbeat,
      kernel,
      observations,
      fences,
      absence,
      copies,
      flushFailures,
    );
    this.commands = new TargetCommandsService(fences, queues, observations, this.looks, mounts, unmounts);
  }

  /** Sends a body as it would come from the queue. */
  send(
    body: Record<string, unknown>,
    options: { deadlineMs?: number; callerWaits?: boolean } = {},
  ): Promise<CommandResult> {
    const command: NodeCommand = parseCommand(body, this.settings.nodeId);
    const context = new CommandContext(deadlineIn(options.deadlineMs ?? 10_000), () =>
      Promise.resolve(options.callerWaits ?? true),
    );
    if (command.action === 'probe') return this.looks.probe(command, context.deadline);
    if (command.action === 'inventory') return this.inventory.answer(context.deadline);
    return this.commands.execute(command, context);
  }

  /** An envelope of a new operation, or of an earlier one. */
  envelope(epoch: number, operation = (this.#lastOperation += 1)): Record<string, unknown> {
    return {
      protocol: 1,
      incarnation: this.fences.incarnation,
      epoch,
      operation_id: `${OPERATION_PREFIX}${String(operation).padStart(12, '0')}`,
      deadline_ms: 10_000,
    };
  }

  /** An envelope of a new operation of that ledger. */
  envelopeOf(ledger: string, epoch: number): Record<string, unknown> {
    return { ...this.envelope(epoch), ledger };
  }

  remove(): void {
    rmSync(this.runDir, { recursive: true, force: true });
  }
}

/** A mount or unmount of an export, as a Python program asks for it; `dms` makes it one of ours. */
export function nfsCommand(
  action: 'mount' | 'unmount',
  fields: { id?: string; path?: string | null; export?: string; readOnly?: boolean; dms?: unknown } = {},
): Record<string, unknown> {
  return {
    action,
    job: { jobid: 7 },
    host: NODE,
    read_only: fields.readOnly ?? false,
    backup_target: {
      id: fields.id ?? 't1',
      type: 'nfs',
      filesystem_export: fields.export ?? 'server:/export',
      filesystem_export_mount_path: fields.path === undefined ? null : fields.path,
    },
    ...(fields.dms === undefined ? {} : { dms: fields.dms }),
  };
}

export function lookCommand(
  action: 'probe' | 'fence',
  dms: unknown,
  target: Record<string, unknown> = {},
): Record<string, unknown> {
  return { action, backup_target: { id: 't1', ...target }, dms };
}
