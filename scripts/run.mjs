import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ROOT } from './build.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a command in the foreground and resolves with its exit status, 128 + n where signal n ended it.
 *
 * What asks this process to end is passed on, and the command is waited for: it cleans up. Ctrl-C reaches it by the
 * terminal, too; whoever sends a signal to npm alone reaches it by us only. Commands take both for one.
 *
 * @param end asks the command to end when it is aborted
 */
export function run(command, args, environment = {}, end = undefined) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    const passOn = (signal) => child.kill(signal);
    const passEnd = () => passOn('SIGTERM');
    const forget = () => {
      for (const signal of SIGNALS) process.off(signal, passOn);
      end?.removeEventListener('abort', passEnd);
    };
    end?.addEventListener('abort', passEnd);
    for (const signal of SIGNALS) process.on(signal, passOn);
    child.once('error', (error) => {
      forget();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      forget();
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
