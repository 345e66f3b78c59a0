import { setTimeout as sleep } from 'node:timers/promises';
import { type FuseProcess } from '@app/contracts';
import { render, type Cell, type View } from '@app/platform';
import { CLEANUP_PATH, END_PATH } from '../control/control.protocol';
import { MountTableAdapter } from '../kernel/mount-table.adapter';
import { errorLinesOf, printable } from '../processes/daemon-log';
import { cureOf } from '../mounts/answers';
import { FuseProcessesService } from '../processes/fuse-processes.service';
import { SessionLauncher } from '../processes/supervisor-launcher.adapter';
import { loadNodeDirectories, type NodeDirectories } from '../settings/server.settings';
import { ask } from './ask';
import { type Options, UsageError } from './options';

export const PROCESSES_HELP = `Usage: dms-server processes [--watch] [--detailed] [--kill PID [--force]] [--cleanup] [--format table|json]

Shows the FUSE processes of this node, from its files: no server has to run for that. Of the settings it needs those of
the files alone: DMS_RUN_DIR and DMS_PID_DIR, where they are not the default.

  --watch       show them again every two seconds, until it is interrupted
  --detailed    with mount paths, PID files and what they reported as errors
  --kill PID    have the running server unmount what this process serves, so that it ends; a mount that is in use
                is refused
  --force       with --kill: end it by signals. What it was given and has not stored is lost, whoever uses the
                mount gets errors, and its jobs are told
  --cleanup     have the running server remove what dead processes left
`;
const REDRAW_MS = 2_000;
const CLEAR_SCREEN = '\u001b[2J\u001b[H';

/** A process with what is seen around it. */
interface ShownProcess extends FuseProcess {
  /** A layer stands at its mount path. */
  readonly mounted: boolean;
  readonly pid_file: string;
  readonly last_errors: string | null;
}

export async function processes(options: Options): Promise<number> {
  const settings = loadNodeDirectories();
  const { kill, cleanup = false, watch = false, force = false } = options;
  if (kill !== undefined && !/^[1-9]\d{0,9}$/.test(kill))
    throw new UsageError('--kill: must be the number of a process');
  if (force && kill === undefined) throw new UsageError('--force: only with --kill');
  if (cleanup && kill !== undefined) throw new UsageError('--cleanup: not with --kill');
  if (watch && (cleanup || kill !== undefined)) throw new UsageError('--watch: not with --kill or --cleanup');
  if (kill !== undefined) return await ask(settings, `${END_PATH}?pid=${kill}&force=${force}`, options);
  if (cleanup) return await ask(settings, CLEANUP_PATH, options);
  do {
    const shown = await look(settings);
    if (watch && process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN);
    print(shown, options);
    if (watch) await sleep(REDRAW_MS);
  } while (watch);
  return 0;
}

async function look(settings: NodeDirectories): Promise<ShownProcess[]> {
  const service = new FuseProcessesService(settings, new SessionLauncher());
  const mounted = new Set((await new MountTableAdapter().read()).map(({ mountPath }) => mountPath));
  return Promise.all(
    (await service.list()).map(async (daemon) => {
      const errors = errorLinesOf(await service.logTail(daemon.backup_target_id));
      return {
        ...daemon,
        mounted: mounted.has(daemon.mount_path),
        pid_file: service.pidFile(daemon.backup_target_id),
        last_errors: errors.length === 0 ? null : printable(errors.slice(-3)),
      };
    }),
  );
}

function print(shown: readonly ShownProcess[], { format, detailed = false }: Options): void {
  if (format === 'json') process.stdout.write(`${JSON.stringify({ processes: shown })}\n`);
  else process.stdout.write(`${render(detailed ? details(shown) : summary(shown))}\n`);
}

function summary(shown: readonly ShownProcess[]): View {
  const alive = shown.filter((daemon) => daemon.alive).length;
  return [
    {
      columns: ['TARGET', 'PID', 'ALIVE', 'STATE', 'MOUNTED', 'MEMORY', 'CPU %', 'STARTED'],
      rows: shown.map((p) => [
        p.backup_target_id,
        p.pid,
        p.alive,
        p.state ?? null,
        p.mounted,
        memory(p),
        p.cpu_percent,
        p.started_at,
      ]),
      empty: 'No FUSE processes.',
    },
    `Total: ${shown.length}, alive: ${alive}, dead: ${shown.length - alive}`,
  ];
}

function details(shown: readonly ShownProcess[]): View {
  if (shown.length === 0) return ['No FUSE processes.'];
  return shown.map((p) => ({
    title: `Target ${p.backup_target_id}`,
    facts: [
      ['PID', p.pid],
      ['alive', p.alive],
      ['state', p.state ?? null],
      ...(p.state === 'stopped' ? [['remedy', cureOf(p.pid)] as const] : []),
      ['mount path', p.mount_path],
      ['mounted', p.mounted],
      ['PID file', p.pid_file],
      ['started', p.started_at],
      ['memory', memory(p)],
      ['CPU %', p.cpu_percent],
      ['errors', p.last_errors],
    ],
  }));
}

function memory({ rss_bytes }: FuseProcess): Cell {
  return rss_bytes === null ? null : `${Math.round(rss_bytes / 1_048_576)} MiB`;
}
