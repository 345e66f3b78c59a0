const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program',
  EADDRNOTAVAIL: 'is at no address of this machine',
  EACCES: 'may not be listened on by this user',
  ENOTFOUND: 'is at a name that is not known',
  EAI_AGAIN: 'is at a name that cannot be looked up now',
};

/** Where a program was to listen, and the settings that say so. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly hostSetting: string;
  readonly portSetting: string;
}

/** Why a program cannot listen, in the words of its settings; another error than of listening as it is. */
export function listenProblem(
  error: unknown,
  { host, port, hostSetting, portSetting }: ListenAddress,
): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || !['listen', 'bind', 'getaddrinfo'].includes(syscall ?? '')) return error;
  const setting = ['EADDRINUSE', 'EACCES'].includes(code) ? portSetting : hostSetting;
  const reason = REASONS[code] ?? `cannot be listened on (${code})`;
  return new Error(`${setting}: port ${port} of ${host} ${reason}`, { cause: error });
}
