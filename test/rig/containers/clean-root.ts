import { readdirSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type CommandResult, runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { CLEAN_ROOT_SCRIPT } from './clean-root-script';
import { addNode, makeDebianRoot } from './debian-root';
import { writeNpmSettings } from './npm-settings';

const TARGETS = 'lib/systemd/system';

/** A Debian 12 on which nothing is but Node.js and npm, to install the programs on. */
export class CleanRoot {
  private constructor(
    readonly root: string,
    private readonly checkout: string,
  ) {}

  /** @param root must not exist yet, and lie in a directory of the rig; @param checkout is there as /src */
  static async make(root: string, checkout: string): Promise<CleanRoot> {
    await makeDebianRoot(root);
    await addNode(root);
    await writeNpmSettings(`${root}.npmrc`);
    await mkdir(join(homedir(), '.npm'), { recursive: true });
    return new CleanRoot(root, checkout);
  }

  /** Runs a command as root in it, in namespaces that end with it. */
  async run(words: readonly string[], expected: readonly number[] = []): Promise<CommandResult> {
    const [command, ...args] = this.words(...words);
    return runCommand(command, args, { timeoutMs: 300_000, expected, environment: cleanEnvironment() });
  }

  /** The words of such a command. */
  words(...words: string[]): string[] {
    const places = [this.root, `${this.root}.npmrc`, this.checkout, join(homedir(), '.npm')];
    const script = ['/bin/sh', '-ec', CLEAN_ROOT_SCRIPT, 'sh', ...places, ...words];
    return ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', ...script];
  }

  /** What systemd-analyze(1) finds wrong with units that are installed in it. */
  async unitProblems(...units: string[]): Promise<string> {
    // What the units are ordered after comes with systemd itself.
    const targets = readdirSync(join('/', TARGETS)).filter((name) => name.endsWith('.target'));
    await mkdir(join(this.root, TARGETS), { recursive: true });
    for (const name of targets) await cp(join('/', TARGETS, name), join(this.root, TARGETS, name));
    const words = ['verify', `--root=${this.root}`, '--man=no', '--recursive-errors=no', ...units];
    return (await runCommand('systemd-analyze', words, { timeoutMs: 30_000, expected: [1] })).stderr;
  }
}
