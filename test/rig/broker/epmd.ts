import { Child } from '../support/child';
import { cleanEnvironment } from '../support/environment';
import { waitFor } from '../support/wait';
import { connect } from 'node:net';

/**
 * Starts an Erlang port mapper for one broker alone.
 *
 * Erlang would start one by itself, as a daemon that stays for ever, on the machine's well-known port and on all
 * interfaces. One of our own in the foreground can be ended, and a broker that runs on the machine keeps its own.
 */
export async function startPortMapper(port: number, directory: string, logFile: string): Promise<Child> {
  const child = await Child.start({
    name: 'epmd',
    command: '/usr/bin/epmd',
    args: ['-address', '127.0.0.1', '-port', String(port)],
    directory,
    logFile,
    environment: cleanEnvironment({ HOME: directory }),
  });
  await waitFor(
    () => {
      if (!child.running) throw new Error(`epmd ${child.outcome}`);
      return answers(port);
    },
    { timeoutMs: 10_000, what: 'epmd to listen', intervalMs: 10 },
  );
  return child;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
