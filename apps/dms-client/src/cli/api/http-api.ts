import {
  type BindingDto,
  type BindingListDto,
  type BindingStatusDto,
  type CleanupResponseDto,
  DmsError,
  type HistoryDto,
  type LockListDto,
  type MountResponseDto,
  type NodeDetailDto,
  type NodeListDto,
  noAnswer,
  type OperationDto,
  type OperationListDto,
  outcomeProblem,
  readAnswer,
  type ReconcileResponseDto,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { Agent, request as send } from 'undici';
import { type CliSettings } from '../cli.settings';
import { type ApiCredentials } from './api-credentials';
import { type BindingName, type DmsApi, type Parameters } from './dms-api';

const CONNECT_TIMEOUT_MS = 5_000;
/** For what only reads: the longest is a node's inventory. */
const READ_TIMEOUT_MS = 30_000;
/** It is tried again soon. */
const RENEW_TIMEOUT_MS = 10_000;
/** The service answers TIMEOUT itself when a request's time is over; its answer is to arrive. */
const MARGIN_MS = 10_000;
/** A long list, or many nodes, take their time. */
const ADMIN_TIMEOUT_MS = 600_000;

/** A run that was killed holds its target no longer than this and the service's grace. */
const DEFAULT_LEASE_S = 60;

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Parameters;
  readonly body?: object;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Whom an HTTPS facade is believed: DMS_CA_FILE, DMS_INSECURE_SKIP_TLS_VERIFY. */
export type ApiTls = Pick<CliSettings, 'caFile' | 'insecureTls'>;

/** The service over the HTTP facade of a dms-client. */
export class HttpApi implements DmsApi {
  readonly defaultLeaseS = DEFAULT_LEASE_S;
  // The time-outs are those of each call.
  readonly #agent: Agent;

  /** @throws DmsError VALIDATION_FAILED where the authorities cannot be read */
  constructor(
    private readonly url: string,
    private readonly credentials: ApiCredentials,
    readonly requestTimeoutMs: number,
    { caFile, insecureTls }: ApiTls = { caFile: null, insecureTls: false },
  ) {
    const tls = { ca: authoritiesIn(caFile), rejectUnauthorized: !insecureTls };
    this.#agent = new Agent({
      connect: { timeout: CONNECT_TIMEOUT_MS, ...tls },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  mount(request: TargetRequestDto, signal?: AbortSignal): Promise<MountResponseDto> {
    return this.#outcome('mount', request, signal);
  }

  unmount(request: TargetRequestDto): Promise<UnmountResponseDto> {
    return this.#outcome('unmount', request);
  }

  renew({ jobid, backup_target_id }: BindingName, host: string, leaseS: number): Promise<BindingDto> {
    const path = `bindings/${encodeURIComponent(jobid)}/${encodeURIComponent(backup_target_id)}/renew`;
    const call = { method: 'POST' as const, path, query: { host }, body: { lease_s: leaseS } };
    return this.#ask({ ...call, timeoutMs: RENEW_TIMEOUT_MS });
  }

  status({ jobid, backup_target_id }: BindingName, query: Parameters): Promise<BindingStatusDto> {
    return this.#read(`bindings/${encodeURIComponent(jobid)}/${encodeURIComponent(backup_target_id)}`, query);
  }

  listBindings(query: Parameters): Promise<BindingListDto> {
    return this.#read('bindings', query);
  }

  history(backupTargetId: string, query: Parameters): Promise<HistoryDto> {
    return this.#read(`targets/${encodeURIComponent(backupTargetId)}/history`, query);
  }

  operations(query: Parameters): Promise<OperationListDto> {
    return this.#read('operations', query);
  }

  operation(id: string): Promise<OperationDto> {
    return this.#read(`operations/${encodeURIComponent(id)}`);
  }

  nodes(): Promise<NodeListDto> {
    return this.#read('nodes');
  }

  node(host: string): Promise<NodeDetailDto> {
    return this.#read(`nodes/${encodeURIComponent(host)}`);
  }

  cleanup(body: { hours: number; dry_run: boolean; held: boolean }): Promise<CleanupResponseDto> {
    return this.#ask({ method: 'POST', path: 'admin/cleanup', body, timeoutMs: ADMIN_TIMEOUT_MS });
  }

  reconcile(body: { host: string | null; dry_run: boolean }): Promise<ReconcileResponseDto> {
    return this.#ask({ method: 'POST', path: 'admin/reconcile', body, timeoutMs: ADMIN_TIMEOUT_MS });
  }

  drain(host: string, draining: boolean): Promise<NodeDetailDto> {
    const path = `nodes/${encodeURIComponent(host)}/drain`;
    return this.#ask({ method: 'POST', path, body: { draining }, timeoutMs: ADMIN_TIMEOUT_MS });
  }

  forget(host: string, fenced: boolean): Promise<NodeDetailDto> {
    const path = `nodes/${encodeURIComponent(host)}/forget`;
    return this.#ask({ method: 'POST', path, body: { fenced }, timeoutMs: ADMIN_TIMEOUT_MS });
  }

  acceptKey(host: string, keyId: string | null): Promise<NodeDetailDto> {
    const path = `nodes/${encodeURIComponent(host)}/accept-key`;
    return this.#ask({ method: 'POST', path, body: { key_id: keyId }, timeoutMs: ADMIN_TIMEOUT_MS });
  }

  locks(): Promise<LockListDto> {
    return this.#read('admin/locks');
  }

  releaseLock(host: string, backupTargetId: string): Promise<LockListDto> {
    const path = `admin/locks/${encodeURIComponent(host)}/${encodeURIComponent(backupTargetId)}`;
    return this.#ask({ method: 'DELETE', path, timeoutMs: ADMIN_TIMEOUT_MS });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #targetCall(action: 'mount' | 'unmount', request: TargetRequestDto, signal?: AbortSignal): Call {
    this.credentials.use(request.keystone_token);
    const body = { ...request, keystone_token: request.keystone_token?.reveal() ?? null };
    return { method: 'POST', path: action, body, timeoutMs: this.requestTimeoutMs + MARGIN_MS, signal };
  }

  #read<T>(path: string, query: Parameters = {}): Promise<T> {
    return this.#ask<T>({ method: 'GET', path, query, timeoutMs: READ_TIMEOUT_MS });
  }

  async #ask<T>({ method, path, query = {}, body, timeoutMs, signal }: Call): Promise<T> {
    const url = new URL(`${this.url}/api/v1/${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const timer = AbortSignal.timeout(timeoutMs);
    try {
      const {
        statusCode,
        headers: responseHeaders,
        body: answer,
      } = await send(url, {
        method,
        dispatcher: this.#agent,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(await this.credentials.headers()),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal === undefined ? timer : AbortSignal.any([timer, signal]),
      });
      return this.#answer<T>(statusCode, await answer.text(), responseHeaders['x-request-id'] !== undefined);
    } catch (error) {
      throw error instanceof DmsError ? error : this.#failure(error, signal);
    }
  }

  /** @throws DmsError WRONG_SERVICE for a success that tells nothing of the mount; what the service answered */
  async #outcome<T extends object>(
    action: 'mount' | 'unmount',
    request: TargetRequestDto,
    signal?: AbortSignal,
  ): Promise<T> {
    const body = await this.#ask<T>(this.#targetCall(action, request, signal));
    const problem = outcomeProblem(this.#printableUrl(), action, body);
    if (problem === null) return body;
    throw new DmsError(problem.code, problem.message);
  }

  /** @throws DmsError what the service answered, with its code */
  #answer<T>(status: number, text: string, named: boolean): T {
    const answer = readAnswer<T>(this.#printableUrl(), status, text, named);
    if ('body' in answer) return answer.body;
    throw new DmsError(answer.error.code, answer.error.message, answer.error);
  }

  #failure(error: unknown, signal: AbortSignal | undefined): DmsError {
    const { code: given, name } = error as { code?: unknown; name?: unknown };
    const reason = String(name === 'HTTPParserError' ? name : (given ?? name));
    if (signal?.aborted) return new DmsError('TIMEOUT', 'The request was given up; its outcome is unknown');
    const { code, message } = noAnswer(this.#printableUrl(), reason, !BEFORE_SENDING.test(reason));
    const hint = code === 'CLIENT_UNREACHABLE' || code === 'WRONG_SERVICE' ? '. DMS_API_URL names it' : '';
    return new DmsError(code, `${message}${hint}`, { cause: error });
  }

  /** The address without a password in it. */
  #printableUrl(): string {
    const { protocol, host, pathname } = new URL(this.url);
    return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
  }
}

/** Undefined: those of Node.js. */
function authoritiesIn(file: string | null): string[] | undefined {
  if (file === null) return undefined;
  try {
    return [...rootCertificates, readFileSync(file, 'utf8')];
  } catch (error) {
    const problem = `cannot be read (${String((error as NodeJS.ErrnoException).code)})`;
    throw DmsError.validation([{ field: 'DMS_CA_FILE', problem }]);
  }
}

/** Codes of errors that come before a request has left this machine. */
const BEFORE_SENDING =
  /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+|ERR_TLS_\w+|ERR_SSL_\w+)$/;
