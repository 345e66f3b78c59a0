import { join } from 'node:path';
import { type ErrorCode } from '@app/contracts';
import { type ServerSettings } from '../settings/server.settings';

/** `POST /end?pid=N&force=true|false`, `POST /cleanup` and `POST /forget-ledger`, without a body. */
export const END_PATH = '/end';
export const CLEANUP_PATH = '/cleanup';
export const FORGET_LEDGER_PATH = '/forget-ledger';

export interface ControlAnswer {
  readonly status: 'success' | 'error';
  readonly message: string;
  readonly error_code: ErrorCode | null;
}

export function controlSocket({ runDir }: Pick<ServerSettings, 'runDir'>): string {
  return join(runDir, 'control.sock');
}
