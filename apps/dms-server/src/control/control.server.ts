import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import {
  CLEANUP_PATH,
  type ControlAnswer,
  controlSocket,
  END_PATH,
  FORGET_LEDGER_PATH,
} from './control.protocol';
import { ControlService } from './control.service';

const ROOT_ONLY = 0o600;

/** The way in for `dms-server processes` and `forget-ledger`: HTTP on a socket in the run directory, which root alone can open. */
@Injectable()
export class ControlServer implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(ControlServer.name);
  #server: Server | null = null;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    private readonly control: ControlService,
  ) {}

  /** Without it the server does all else: that it cannot be had is told, and no reason to stop. */
  async onApplicationBootstrap(): Promise<void> {
    const path = controlSocket(this.settings);
    const server = createServer((request, response) => void this.#answer(request, response));
    try {
      // One server works on a run directory: what stands there is of a dead one.
      rmSync(path, { force: true });
      const listening = once(server, 'listening');
      server.listen(path);
      await listening;
      chmodSync(path, ROOT_ONLY);
      this.#server = server;
    } catch (error) {
      server.close();
      this.#logger.warn({
        msg: 'dms-server processes and forget-ledger cannot ask this server',
        path,
        err: error,
      });
    }
  }

  onApplicationShutdown(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#execute(request).then(
      (message): ControlAnswer => ({ status: 'success', message, error_code: null }),
      (thrown: unknown): ControlAnswer => {
        const error = DmsError.from(thrown);
        if (error.code === 'INTERNAL') this.#logger.error({ msg: 'An operator met a defect', err: thrown });
        return { status: 'error', message: error.message, error_code: error.code };
      },
    );
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  async #execute(request: IncomingMessage): Promise<string> {
    const url = new URL(request.url ?? '/', 'http://control');
    if (request.method === 'POST' && url.pathname === CLEANUP_PATH) return await this.control.cleanUp();
    if (request.method === 'POST' && url.pathname === FORGET_LEDGER_PATH) return this.control.forgetLedger();
    if (request.method === 'POST' && url.pathname === END_PATH) {
      const pid = Number(url.searchParams.get('pid'));
      return await this.control.end(pid, url.searchParams.get('force') === 'true');
    }
    throw new DmsError('NOT_FOUND', 'This dms-server knows no such request.');
  }
}
