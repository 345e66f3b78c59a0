import { CommandFactory, CommandRunnerService } from 'nest-commander';
import { CliModule } from './cli.module';
import { Commander, VersionAsked } from './commander.provider';
import { reportError } from './error-report';
import { ExitStatus } from './exit-status';

/**
 * Runs the `dms` command and says with which status to exit: 0 done, 1 failed, 2 wrong use, 75 try again later.
 *
 * nest-commander by itself exits with 0 when a command throws, and with 1 on wrong use.
 *
 * @param argv as in `process.argv`
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let thrown: unknown = null;
  try {
    const application = await CommandFactory.createWithoutRunning(CliModule, {
      logger: false,
      abortOnError: false,
      cliName: 'dms',
      serviceErrorHandler: (error) => {
        thrown = error;
      },
    });
    application.get(Commander).prepare();
    await application.get(CommandRunnerService).run([...argv]);
    const status = application.get(ExitStatus).code;
    await application.close();
    if (thrown === null) return status;
  } catch (error) {
    thrown = error;
  }
  if (thrown instanceof VersionAsked) return printVersion();
  return reportError(thrown);
}

async function printVersion(): Promise<number> {
  const { programVersion } = await import('./version.js');
  process.stdout.write(`dms ${programVersion()}\n`);
  return 0;
}
