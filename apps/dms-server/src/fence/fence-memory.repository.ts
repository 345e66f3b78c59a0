import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { DmsError, fileNameOf } from '@app/contracts';
import { TEMPORARY_SUFFIX, writeAtomically } from './atomic-file';
import { type FenceMemory } from './fence-memory.interface';
import { shortageOf } from '../processes/shortage';
import { decodeRecord, encodeRecord } from './record-codec';
import { type TargetRecord } from './target-record';

const RECORD_SUFFIX = '.json';
/** Targets that are remembered. For more than these, those of which nothing is left are forgotten. */
const MAX_TARGETS = 50_000;
/** The part of them that has to be worth a new incarnation, after which dms-client asks for all that stands. */
const WORTH_FORGETTING = 1 / 10;
/** As much as a record needs. */
const TRIAL_TEXT = ' '.repeat(4_096);

/** What `node.json` says. */
interface NodeFile {
  readonly incarnation: string;
  /** Absent where it is the incarnation still. */
  readonly memory_id?: string;
  readonly boot_id: string;
  /** Absent: none. */
  readonly ledger?: string;
}

/**
 * The memory as files: `<run>/node.json` with what is said of the node as a whole, and one file for each target in `<run>/targets`. All of it is read at the start; only one server works on a run directory (server.lock).
 */
export class FileFenceMemory implements FenceMemory {
  readonly #logger = new Logger(FileFenceMemory.name);
  readonly #records = new Map<string, TargetRecord>();
  /** Which target's record a file holds: a target may be called as the hash of another one's name. */
  readonly #owners = new Map<string, string>();
  readonly #nodeFile: string;
  readonly #targets: string;
  #node: NodeFile;

  /** @throws Error if the run directory cannot be read or written */
  constructor(
    readonly runDir: string,
    readonly bootId: string,
    private readonly maxTargets = MAX_TARGETS,
  ) {
    this.#nodeFile = join(runDir, 'node.json');
    this.#targets = join(runDir, 'targets');
    mkdirSync(this.#targets, { recursive: true, mode: 0o700 });
    this.#node = this.#load() ?? this.#begin();
  }

  get memoryId(): string {
    return this.#node.memory_id ?? this.#node.incarnation;
  }

  get incarnation(): string {
    return this.#node.incarnation;
  }

  get ledger(): string | null {
    return this.#node.ledger ?? null;
  }

  get(targetId: string): TargetRecord | null {
    return this.#records.get(targetId) ?? null;
  }

  all(): readonly TargetRecord[] {
    return [...this.#records.values()];
  }

  save(record: TargetRecord): void {
    const name = fileNameOf(record.targetId);
    const owner = this.#owners.get(name) ?? record.targetId;
    if (owner !== record.targetId) {
      throw new DmsError('CONFLICT', `Target "${record.targetId}" has the file name of another target`);
    }
    if (!this.#records.has(record.targetId)) this.#requireRoom();
    write(this.#fileOf(name), encodeRecord(record));
    this.#records.set(record.targetId, record);
    this.#owners.set(name, record.targetId);
  }

  takeLedger(ledger: string): void {
    this.#change({ ...this.#node, ledger });
  }

  changeLedger(ledger: string | null): void {
    const { memoryId, bootId } = this;
    const incarnation = randomUUID();
    this.#change({
      incarnation,
      memory_id: memoryId,
      boot_id: bootId,
      ...(ledger === null ? {} : { ledger }),
    });
  }

  get isFull(): boolean {
    return this.#records.size >= this.maxTargets;
  }

  makeRoom(): boolean {
    const left = this.all().filter(isOfNothing);
    if (left.length < this.maxTargets * WORTH_FORGETTING) return false;
    // First of all, so that no epoch is forgotten under which something may still come.
    this.changeLedger(this.ledger);
    for (const { targetId } of left) {
      const name = fileNameOf(targetId);
      // A file that stays takes no harm: it would be read with an epoch that nobody sends any more.
      rmSync(this.#fileOf(name), { force: true });
      this.#records.delete(targetId);
      this.#owners.delete(name);
    }
    return true;
  }

  problem(): string | null {
    try {
      // A full file system shows by writing alone.
      const trial = join(this.#targets, `room${TEMPORARY_SUFFIX}`);
      writeFileSync(trial, TRIAL_TEXT, { mode: 0o600 });
      rmSync(trial);
      const node = JSON.parse(readFileSync(this.#nodeFile, 'utf8')) as { incarnation?: unknown };
      return node.incarnation === this.incarnation ? null : 'node.json was changed by somebody else';
    } catch (error) {
      return `the memory in the run directory cannot be used: ${shortageOf(error) ?? codeOf(error)}`;
    }
  }

  /** @throws DmsError NODE_FULL */
  #requireRoom(): void {
    if (!this.isFull) return;
    const text =
      `The node remembers ${this.maxTargets} targets and takes no further one before some of them are forgotten, which happens ` +
      'while no command is under way and where nothing of them is left. Those that it knows are served';
    throw new DmsError('NODE_FULL', text);
  }

  #change(node: NodeFile): void {
    write(this.#nodeFile, `${JSON.stringify(node)}\n`);
    this.#node = node;
  }

  /** What is remembered of the node, its records loaded; null where the memory is void. */
  #load(): NodeFile | null {
    try {
      if (!existsSync(this.#nodeFile)) return this.#forget('there is none yet');
      const node = JSON.parse(readFileSync(this.#nodeFile, 'utf8')) as Partial<NodeFile>;
      if (!isNodeFile(node)) return this.#forget('node.json is damaged');
      if (node.boot_id !== this.bootId) return this.#forget('the node was booted since');
      for (const file of readdirSync(this.#targets)) this.#loadRecord(file);
      return node;
    } catch (error) {
      return this.#forget(error instanceof Error ? error.message : String(error));
    }
  }

  #loadRecord(file: string): void {
    const path = join(this.#targets, file);
    if (file.endsWith(TEMPORARY_SUFFIX)) {
      rmSync(path, { force: true });
      return;
    }
    try {
      const record = decodeRecord(readFileSync(path, 'utf8'));
      const name = fileNameOf(record.targetId);
      if (file !== `${name}${RECORD_SUFFIX}`) throw new Error('is the record of another target');
      this.#records.set(record.targetId, record);
      this.#owners.set(name, record.targetId);
    } catch (error) {
      throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  #forget(reason: string): null {
    this.#logger.warn({ msg: `The node begins with an empty memory: ${reason}`, runDir: this.runDir });
    this.#records.clear();
    this.#owners.clear();
    return null;
  }

  /** Old records go before the new incarnation is written: they must never be read as its own. */
  #begin(): NodeFile {
    rmSync(this.#nodeFile, { force: true });
    for (const file of readdirSync(this.#targets)) rmSync(join(this.#targets, file), { force: true });
    const node = { incarnation: randomUUID(), boot_id: this.bootId };
    writeAtomically(this.#nodeFile, `${JSON.stringify(node)}\n`);
    return node;
  }

  #fileOf(name: string): string {
    return join(this.#targets, `${name}${RECORD_SUFFIX}`);
  }
}

/** Whether its last operation has ended and nothing is mounted, held or to be told. */
function isOfNothing(record: TargetRecord): boolean {
  const { outcome, mountedAs, legacyHolders, epochHolder, flushProblem } = record;
  const isLeft = mountedAs !== null || legacyHolders.length > 0 || epochHolder || flushProblem !== null;
  return outcome !== null && !isLeft;
}

/** @throws DmsError NODE_FULL, INTERNAL */
function write(path: string, text: string): void {
  try {
    writeAtomically(path, text);
  } catch (error) {
    const shortage = shortageOf(error);
    const text = `The node's memory in the run directory cannot be written: ${shortage ?? codeOf(error)}`;
    throw new DmsError(shortage === null ? 'INTERNAL' : 'NODE_FULL', text, { cause: error });
  }
}

function isNodeFile(node: Partial<NodeFile>): node is NodeFile {
  const { incarnation, memory_id, boot_id, ledger } = node;
  const isId = (value: unknown): boolean => typeof value === 'string' && value !== '';
  const isIdOrAbsent = (value: unknown): boolean => value === undefined || isId(value);
  return isId(incarnation) && isId(boot_id) && isIdOrAbsent(memory_id) && isIdOrAbsent(ledger);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'not readable';
}
