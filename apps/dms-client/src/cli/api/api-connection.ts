import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type DmsApi } from './dms-api';

/** Opens the way to the service when a command needs it: what `--help` does not need is not loaded for it. */
@Injectable()
export class ApiConnection implements OnApplicationShutdown {
  #api: Promise<DmsApi> | null = null;

  /** @throws SettingsError; DmsError LEDGER_UNAVAILABLE */
  open(): Promise<DmsApi> {
    this.#api ??= connect();
    return this.#api;
  }

  async onApplicationShutdown(): Promise<void> {
    // An error of opening was the command's.
    const api = await this.#api?.catch(() => null);
    await api?.close();
  }
}

async function connect(): Promise<DmsApi> {
  const { loadCliSettings } = await import('../cli.settings.js');
  const settings = loadCliSettings();
  const { apiUrl, requestTimeoutMs } = settings;
  if (apiUrl === null) return (await import('./local-api.js')).openLocalApi();
  const { ApiCredentials } = await import('./api-credentials.js');
  const { HttpApi } = await import('./http-api.js');
  return new HttpApi(apiUrl, new ApiCredentials(settings), requestTimeoutMs, settings);
}
