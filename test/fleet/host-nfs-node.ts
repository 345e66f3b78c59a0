import { type GuestResult, runCommand } from '../rig';
import { type NodeProcess } from './node-process';
import { type NfsNode } from './nfs-node.interface';

const SCRIPT_TIMEOUT_MS = 30_000;
const ANY_STATUS = Array.from({ length: 256 }, (_, status) => status);

/** This machine as a node with an NFS client, where its kernel has one. */
export class HostNfsNode implements NfsNode {
  readonly serverAddress = '127.0.0.1';
  readonly guest = null;

  constructor(private readonly node: NodeProcess) {}

  get host(): string {
    return this.node.host;
  }

  get base(): string {
    return this.node.base;
  }

  get runDirectory(): string {
    return this.node.runDirectory;
  }

  get pidDirectory(): string {
    return this.node.pidDirectory;
  }

  get healthUrl(): string {
    return this.node.healthUrl;
  }

  async start(): Promise<void> {
    await this.node.start();
  }

  async stop(): Promise<void> {
    await this.node.stop();
  }

  async log(): Promise<string> {
    return this.node.log();
  }

  signal(signal: NodeJS.Signals): Promise<void> {
    this.node.signal(signal);
    return Promise.resolve();
  }

  async sh(script: string, timeoutMs = SCRIPT_TIMEOUT_MS): Promise<GuestResult> {
    const words = ['-c', `exec 2>&1\n${script}`];
    const { status, stdout } = await runCommand('/bin/sh', words, { timeoutMs, expected: ANY_STATUS });
    return { status, output: stdout };
  }
}
