import { Child } from '../support/child';

/** A Python web application and where it shall listen. */
export interface PythonApplication {
  readonly name: string;
  readonly file: string;
  readonly port: number;
  readonly threads: number;
  readonly directory: string;
  readonly logFile: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Starts a Python web application under uWSGI, in one process: both services keep their data in SQLite and their
 * caches in memory, and neither can be shared between processes.
 */
export async function startPythonApplication(application: PythonApplication): Promise<Child> {
  return await Child.start({
    name: application.name,
    command: '/usr/bin/uwsgi-core',
    args: [
      ...['--plugin', 'python3', '--need-app', '--enable-threads'],
      ...['--http-socket', `127.0.0.1:${application.port}`],
      ...['--wsgi-file', application.file],
      ...['--processes', '1', '--threads', String(application.threads)],
      ...['--die-on-term', '--listen', '100'],
      // Tokens and catalogues make for long headers.
      ...['--buffer-size', '65535'],
      // uWSGI closes each connection after its answer without saying so; a client that keeps connections would then
      // send its next request into a closed one.
      ...['--add-header', 'Connection: close'],
    ],
    directory: application.directory,
    logFile: application.logFile,
    environment: application.environment,
  });
}

/**
 * Whether the application answers at all, with whatever status. Its own log is asked first: the port may be held by
 * somebody else's service while ours is about to give up.
 */
export async function pythonApplicationAnswers(child: Child, url: string): Promise<boolean> {
  if (!(await child.log()).includes('WSGI app 0')) return false;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    await answer.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
