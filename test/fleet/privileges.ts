import { readFileSync } from 'node:fs';

/** Numbers of capabilities(7) that the programs are given; others stand as `cap_NUMBER`. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'chown',
  1: 'dac_override',
  5: 'kill',
  7: 'setuid',
  9: 'linux_immutable',
  10: 'net_bind_service',
  19: 'sys_ptrace',
  21: 'sys_admin',
};

/** What the kernel lets a process do, from /proc/PID/status. */
export interface Privileges {
  readonly uid: number;
  /** What it, and all that it starts, can have at most (CapBnd). */
  readonly bounding: readonly string[];
  /** What it has now (CapEff). */
  readonly effective: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Whether its system calls are filtered. */
  readonly filtered: boolean;
}

export function privilegesOf(pid: number): Privileges {
  return privilegesIn(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** @param status the text of /proc/PID/status */
export function privilegesIn(status: string): Privileges {
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? `no ${name}`;
  return {
    uid: Number(field('Uid')),
    bounding: namesOf(field('CapBnd')),
    effective: namesOf(field('CapEff')),
    noNewPrivileges: field('NoNewPrivs') === '1',
    filtered: field('Seccomp') === '2',
  };
}

function namesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask}`);
  return Array.from({ length: 64 }, (_, bit) => bit)
    .filter((bit) => (bits >> BigInt(bit)) & 1n)
    .map((bit) => NAMES[bit] ?? `cap_${bit}`);
}
