import { readFile } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { unescapeField } from './mountinfo';
import { type Asked, FIRST_SHARE, type NfsReplies } from './nfs-replies.interface';

const MOUNT = /^device \S+ mounted on (\S+) with fstype nfs/;
/** `READ: calls transmissions timeouts bytes-sent bytes-received …`; a call without a reply has received nothing. */
const CALLS = /^\t\s*\w+: \d+ \d+ \d+ \d+ (\d+) /;

/** Counts what the kernel has received for a mount (nfsstat(8) reads the same file); reading it asks no server. */
@Injectable()
export class MountstatsReplies implements NfsReplies {
  async during<T>(mountPath: string, withinMs: number, question: () => Promise<T>): Promise<Asked<T>> {
    let early = Promise.resolve<number | null>(null);
    const timer = setTimeout(() => {
      early = this.#received(mountPath);
    }, withinMs * FIRST_SHARE);
    try {
      const result = await question();
      const isAnswering = async (): Promise<boolean> => {
        const [before, after] = [await early, await this.#received(mountPath)];
        return before !== null && after !== null && after > before;
      };
      return { result, isAnswering };
    } finally {
      clearTimeout(timer);
    }
  }

  protected read(): Promise<string> {
    return readFile('/proc/self/mountstats', 'utf8');
  }

  /** Null where it cannot be told: then nothing is known to come. */
  async #received(mountPath: string): Promise<number | null> {
    try {
      return receivedIn(await this.read(), mountPath);
    } catch {
      return null;
    }
  }
}

/** Bytes received for the top mount at a path; null where none of NFS is there. */
export function receivedIn(mountstats: string, mountPath: string): number | null {
  let received: number | null = null;
  let isHere = false;
  for (const line of mountstats.split('\n')) {
    if (line.startsWith('device ')) {
      isHere = unescapeField(MOUNT.exec(line)?.[1] ?? '') === mountPath;
      if (isHere) received = 0;
    } else if (isHere) {
      received = (received ?? 0) + Number(CALLS.exec(line)?.[1] ?? 0);
    }
  }
  return received;
}
