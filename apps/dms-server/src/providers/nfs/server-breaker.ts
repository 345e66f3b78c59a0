import { Inject, Injectable, Logger } from '@nestjs/common';
import { CHILD_RUNNER, type ChildRunner } from '../../processes/child-runner.interface';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';

/** Servers that are remembered: of more, one that did not answer is forgotten, and asked once more when it is named again. */
const MAX_SERVERS = 1_000;

/** How something that needs a server went; `refused`: it was not begun, because the server does not answer. */
export type Attempt<T> =
  { readonly kind: 'done'; readonly result: T } | { readonly kind: 'refused'; readonly reason: string };

interface Server {
  /** Attempts under way. */
  running: number;
  /** When the first attempt of a row ended without an answer; null while the server answers. */
  silentSince: number | null;
  /** No attempt before. */
  retryAt: number;
  /** Those that wait for one that is under way to end. */
  readonly waiting: Set<() => void>;
  /** Targets of which a child may still hang in the kernel. */
  readonly hanging: Set<string>;
}

/**
 * Keeps a dead NFS server with many exports from holding many child processes. A few attempts (mounts, probes) at a time
 * are made at one server; once one of them got no answer, all others are refused at once, and after a pause a single one
 * finds out whether the server is back. While a child of an attempt hangs in the kernel there is not even that.
 *
 * Other servers are never affected.
 */
@Injectable()
export class ServerBreaker {
  readonly #logger = new Logger(ServerBreaker.name);
  readonly #servers = new Map<string, Server>();

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
  ) {}

  /**
   * Does `work` as soon as the server may be bothered.
   *
   * @param name the server, as {@link serverOf} names it
   * @param targetId under whose id the children of `work` are recorded
   * @param answered whether a result shows that the server answered, be it with a refusal; null where it shows neither
   */
  async attempt<T>(
    name: string,
    targetId: string,
    deadline: Deadline,
    work: () => Promise<T>,
    answered: (result: T) => boolean | null,
  ): Promise<Attempt<T>> {
    const server = this.#serverOf(name);
    const reason = await this.#mayBegin(name, server, deadline);
    if (reason !== null) {
      this.#forgetIdle(name, server);
      return { kind: 'refused', reason };
    }
    let verdict: boolean | null = null;
    try {
      const result = await work();
      verdict = answered(result);
      return { kind: 'done', result };
    } finally {
      server.running -= 1;
      if (verdict === true) this.#answered(name, server);
      if (verdict === false) await this.#silent(name, server, targetId);
      for (const wake of [...server.waiting]) wake();
      this.#forgetIdle(name, server);
    }
  }

  /** Takes note of an answer that was seen elsewhere: the server is back. */
  noteAnswer(name: string): void {
    const server = this.#servers.get(name);
    if (server === undefined) return;
    this.#answered(name, server);
    this.#forgetIdle(name, server);
  }

  /** Takes note that a question asked elsewhere got no answer. */
  noteSilence(name: string): void {
    const server = this.#serverOf(name);
    this.#open(name, server);
    for (const wake of [...server.waiting]) wake();
  }

  /** Milliseconds for which a server has not answered; null if it did when it was last asked, or never was. */
  silentFor(name: string): number | null {
    const since = this.#servers.get(name)?.silentSince ?? null;
    return since === null ? null : performance.now() - since;
  }

  /** Servers that did not answer when they were last asked. */
  get silentServers(): number {
    return [...this.#servers.values()].filter(({ silentSince }) => silentSince !== null).length;
  }

  /** Null once the attempt counts as begun, else why it must not be. */
  async #mayBegin(name: string, server: Server, deadline: Deadline): Promise<string | null> {
    for (;;) {
      if (server.silentSince !== null) {
        const since = Math.round((performance.now() - server.silentSince) / 1000);
        const refusal = `NFS server ${name} has not answered for ${since} s`;
        if (performance.now() < server.retryAt || server.running > 0) return refusal;
        // Taken before the look, so that two do not try at once.
        server.running += 1;
        if (!(await this.#hasHanging(server))) return null;
        server.running -= 1;
        return `${refusal}, and a process that waits for it cannot be ended`;
      }
      if (server.running < this.settings.nfsServerConcurrency) {
        server.running += 1;
        return null;
      }
      if (!(await this.#turn(server, deadline))) return `NFS server ${name} is busy with others`;
    }
  }

  /** Waits until an attempt has ended; false where the deadline passes before. */
  #turn(server: Server, deadline: Deadline): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (inTime: boolean): void => {
        clearTimeout(timer);
        server.waiting.delete(wake);
        resolve(inTime);
      };
      const wake = (): void => end(true);
      const timer = setTimeout(() => end(false), deadline.remainingMs());
      server.waiting.add(wake);
    });
  }

  #answered(name: string, server: Server): void {
    if (server.silentSince !== null) this.#logger.log({ msg: 'An NFS server answers again', server: name });
    server.silentSince = null;
  }

  async #silent(name: string, server: Server, targetId: string): Promise<void> {
    this.#open(name, server);
    if ((await this.children.childrenLeft(targetId)) > 0) server.hanging.add(targetId);
  }

  #open(name: string, server: Server): void {
    if (server.silentSince === null) {
      server.silentSince = performance.now();
      this.#logger.warn({ msg: 'An NFS server does not answer: it is left alone', server: name });
    }
    server.retryAt = performance.now() + this.settings.nfsServerPauseMs;
  }

  async #hasHanging(server: Server): Promise<boolean> {
    for (const targetId of server.hanging) {
      if ((await this.children.childrenLeft(targetId)) > 0) return true;
      server.hanging.delete(targetId);
    }
    return false;
  }

  #serverOf(name: string): Server {
    const known = this.#servers.get(name);
    if (known !== undefined) return known;
    const server = { running: 0, silentSince: null, retryAt: 0, waiting: new Set<() => void>(), hanging: new Set<string>() }; // prettier-ignore
    this.#makeRoom();
    this.#servers.set(name, server);
    return server;
  }

  /** Names come with requests, also those of servers that never answer. One that holds a child is not forgotten. */
  #makeRoom(): void {
    if (this.#servers.size < MAX_SERVERS) return;
    for (const [name, { running, waiting, hanging }] of this.#servers) {
      if (running > 0 || waiting.size > 0 || hanging.size > 0) continue;
      this.#servers.delete(name);
      return;
    }
  }

  /** Names come with requests: of a server that nothing is known of nothing is kept. */
  #forgetIdle(name: string, { running, silentSince, waiting }: Server): void {
    if (running === 0 && silentSince === null && waiting.size === 0) this.#servers.delete(name);
  }
}
