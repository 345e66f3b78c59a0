import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cleanEnvironment, type CommandResult, runCommand } from '../rig';
import { ROOT } from './programs';

const MODULES = join(ROOT, 'node_modules');

/** Packs the client package as for a registry, and returns the file. */
export async function packClient(directory: string): Promise<string> {
  const { stdout } = await runCommand(
    'npm',
    ['pack', join(ROOT, 'libs/client'), '--pack-destination', directory, '--silent'],
    {
      directory: ROOT,
      environment: { ...cleanEnvironment({ HOME: directory }), PATH: process.env.PATH ?? '' },
      timeoutMs: 120_000,
    },
  );
  return join(directory, stdout.trim().split('\n').at(-1) ?? '');
}

const TSC = join(MODULES, 'typescript/bin/tsc');

/** What TypeScript is told, by how the project resolves modules. */
const RESOLUTIONS = {
  node16: { module: 'node16', moduleResolution: 'node16' },
  bundler: { module: 'preserve', moduleResolution: 'bundler' },
} as const;

/** A project of somebody who installed the client package, as ES modules or as CommonJS. */
export class PackageUser {
  private constructor(
    readonly directory: string,
    readonly type: 'module' | 'commonjs',
  ) {}

  /** @param tarball of `npm pack`; it is installed without any registry */
  static async create(directory: string, type: 'module' | 'commonjs', tarball: string): Promise<PackageUser> {
    await mkdir(join(directory, 'src'), { recursive: true });
    const user = new PackageUser(directory, type);
    await user.#write('package.json', { name: `user-${type}`, private: true, type });
    const install = ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball];
    await user.#run('npm', install);
    await mkdir(join(directory, 'node_modules/@types'), { recursive: true });
    await symlink(join(MODULES, '@types/node'), join(directory, 'node_modules/@types/node'));
    return user;
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.directory, 'src', name), text);
  }

  /** Checks the types of all that was written, and those of the package; compiles it to `out` for node16. */
  async compile(resolution: keyof typeof RESOLUTIONS): Promise<void> {
    const name = `tsconfig.${resolution}.json`;
    await this.#write(name, {
      compilerOptions: {
        ...RESOLUTIONS[resolution],
        strict: true,
        skipLibCheck: false,
        target: 'es2022',
        types: ['node'],
        rootDir: 'src',
        outDir: 'out',
        noEmit: resolution === 'bundler',
      },
      include: ['src'],
    });
    await this.#run(process.execPath, [TSC, '-p', name]);
  }

  /** Compiles a file that was written, without any tsconfig.json. @param options of tsc(1) */
  async compileFile(name: string, options: readonly string[]): Promise<void> {
    await this.#run(process.execPath, [TSC, ...options, join('src', name)]);
  }

  #write(name: string, value: object): Promise<void> {
    return writeFile(join(this.directory, name), JSON.stringify(value));
  }

  /** Runs a program that was compiled; a status other than 0 is an error. */
  start(name: string, environment: Readonly<Record<string, string>>): Promise<CommandResult> {
    return this.#run(process.execPath, [join('out', name)], environment);
  }

  #run(
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    return runCommand(command, args, {
      directory: this.directory,
      environment: {
        ...cleanEnvironment({ HOME: this.directory }),
        PATH: process.env.PATH ?? '',
        ...environment,
      },
      timeoutMs: 60_000,
    });
  }
}
