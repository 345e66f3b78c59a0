import { readFileSync } from 'node:fs';

/** The kernel's id of this boot (proc_sys_kernel(5)): a new one after each reboot. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
