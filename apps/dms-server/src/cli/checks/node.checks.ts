import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DmsError } from '@app/contracts';
import { checkWay } from '../../kernel/guarded-path';
import { chooseFuseProgram } from '../../providers/s3/fuse-program';
import { launcherFor, ScopeLauncher } from '../../processes/supervisor-launcher.adapter';
import { type ServerSettings } from '../../settings/server.settings';
import { type Finding } from './finding';

const SEARCH_PATH = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/bin'];
const PROGRAMS: readonly (readonly [string, string, Finding['result']])[] = [
  ['mount', 'package mount', 'failed'],
  ['umount', 'package mount', 'failed'],
  ['find', 'package findutils', 'failed'],
  ['stat', 'package coreutils', 'failed'],
  ['unshare', 'package util-linux: hung FUSE connections cannot be cut', 'warning'],
  ['findmnt', 'package util-linux: changes of the mount table are seen a second later', 'warning'],
  ['chattr', 'package e2fsprogs: mountpoints are locked by read-only mounts instead', 'warning'],
  ['mount.nfs', 'package nfs-common: no NFS target can be mounted', 'warning'],
];
const TMPFS_MAGIC = 0x01021994;
const OTHERS_WRITE = 0o022;

export function rightsCheck(): Finding {
  const isRoot = process.geteuid?.() === 0;
  return {
    name: 'rights',
    result: isRoot ? 'ok' : 'failed',
    detail: isRoot ? 'root' : 'mounting needs root',
  };
}

export function programChecks(settings: ServerSettings): Promise<Finding>[] {
  return [
    ...PROGRAMS.map(([program, missing, result]) => programCheck(program, missing, result)),
    s3Check(settings),
  ];
}

export function deviceChecks(): Promise<Finding>[] {
  const usable = async (): Promise<Finding> => {
    const name = '/dev/fuse';
    try {
      await access(name, constants.R_OK | constants.W_OK);
      return { name, result: 'ok', detail: 'can be used' };
    } catch (error) {
      return {
        name,
        result: 'failed',
        detail: `${codeOf(error)}: no S3 target can be mounted (modprobe fuse)`,
      };
    }
  };
  return [usable()];
}

export function kernelChecks(): Promise<Finding>[] {
  return [fileSystemCheck('fuse', 'S3', 'failed'), fileSystemCheck('nfs4', 'NFS', 'warning')];
}

export function directoryChecks(settings: ServerSettings): Promise<Finding>[] {
  return [
    ...settings.mountBases.map((base) => baseCheck(base)),
    runDirectoryCheck(settings.runDir),
    directoryCheck('PID directory', settings.pidDir),
  ];
}

async function programCheck(program: string, missing: string, result: Finding['result']): Promise<Finding> {
  const path = await find(program);
  const name = `program ${program}`;
  return path === null
    ? { name, result, detail: `is missing: ${missing}` }
    : { name, result: 'ok', detail: path };
}

/** The configured program, or else what our launcher of s3fs needs. */
async function s3Check({ s3VaultFuseBinary, fuseUnits }: ServerSettings): Promise<Finding> {
  const name = 'FUSE program for S3';
  const kept = launcherFor(fuseUnits) instanceof ScopeLauncher ? 'in a scope of systemd' : 'in a session';
  const { program, args } = await chooseFuseProgram(s3VaultFuseBinary);
  if (args.length === 0) return { name, result: 'ok', detail: `${program}, ${kept}` };
  const s3fs = await find('s3fs');
  return s3fs === null
    ? { name, result: 'failed', detail: `neither ${s3VaultFuseBinary} nor s3fs (package s3fs) is installed` }
    : { name, result: 'ok', detail: `${s3fs}, ${kept}, for ${s3VaultFuseBinary} is not installed` };
}

/** Modules are loaded with the first mount: what is not listed may still be there to be loaded. */
async function fileSystemCheck(type: string, targets: string, result: Finding['result']): Promise<Finding> {
  const name = `kernel ${type}`;
  const listed = (await readFile('/proc/filesystems', 'utf8'))
    .split('\n')
    .some((line) => line.endsWith(`\t${type}`));
  if (listed) return { name, result: 'ok', detail: 'is there' };
  const release = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim();
  const modules = await readFile(join('/lib/modules', release, 'modules.dep'), 'utf8').catch(() => '');
  const file = type === 'nfs4' ? 'nfsv4' : type;
  return new RegExp(`/${file}\\.ko`).test(modules)
    ? { name, result: 'ok', detail: 'a module that can be loaded' }
    : { name, result, detail: `neither in the kernel nor a module: no ${targets} target can be mounted` };
}

async function directoryCheck(kind: string, path: string): Promise<Finding> {
  const name = `${kind} ${path}`;
  try {
    const found = await stat(path);
    if (!found.isDirectory()) return { name, result: 'failed', detail: 'is not a directory' };
    if ((found.mode & OTHERS_WRITE) !== 0)
      return { name, result: 'failed', detail: 'others than root may write to it' };
    await access(path, constants.W_OK | constants.X_OK);
    return { name, result: 'ok', detail: 'is there' };
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return { name, result: 'failed', detail: codeOf(error) };
    return { name, ...(await canBeMade(path)) };
  }
}

/** A mount is refused where others could exchange what lies above it. */
async function baseCheck(base: string): Promise<Finding> {
  const finding = await directoryCheck('mount base', base);
  if (finding.result !== 'ok') return finding;
  try {
    await checkWay(base);
    return finding;
  } catch (error) {
    return {
      ...finding,
      result: 'failed',
      detail: error instanceof DmsError ? error.message : codeOf(error),
    };
  }
}

async function runDirectoryCheck(path: string): Promise<Finding> {
  const finding = await directoryCheck('run directory', path);
  if (finding.result !== 'ok') return finding;
  const { type } = await statfs(path).catch(() => ({ type: TMPFS_MAGIC }));
  if (type === TMPFS_MAGIC) return finding;
  return {
    ...finding,
    result: 'warning',
    detail: 'is on a disk; tmpfs is better, for it is void after a reboot',
  };
}

async function canBeMade(path: string): Promise<Pick<Finding, 'result' | 'detail'>> {
  for (let above = dirname(path); ; above = dirname(above)) {
    try {
      await access(above, constants.W_OK | constants.X_OK);
      return { result: 'ok', detail: 'will be made' };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || above === '/') {
        return { result: 'failed', detail: `cannot be made in ${above} (${codeOf(error)})` };
      }
    }
  }
}

async function find(program: string): Promise<string | null> {
  for (const directory of SEARCH_PATH) {
    const path = join(directory, program);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return null;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'cannot be read';
}
