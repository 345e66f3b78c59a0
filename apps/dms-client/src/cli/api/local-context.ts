import { type DynamicModule, type INestApplicationContext, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DmsError } from '@app/contracts';
import { PinoLogger, SettingsError } from '@app/platform';
import { isLoginRefused, ledgerError } from '../../ledger/ledger-errors';
import { type ClientSettings } from '../../settings/client.settings';

/**
 * Starts services of dms-client in this process; they are to be closed.
 *
 * @throws DmsError LEDGER_UNAVAILABLE; SettingsError where the database refuses the login: asking again later is of no use
 */
export async function openContext(
  module: DynamicModule,
  settings: ClientSettings,
): Promise<INestApplicationContext> {
  try {
    return await NestFactory.createApplicationContext(module, {
      logger: loggerOf(settings),
      abortOnError: false,
    });
  } catch (error) {
    if (error instanceof DmsError && isLoginRefused(error)) throw new SettingsError([error.message]);
    // Drivers' errors have codes; another is a defect of ours and says itself what it is.
    throw typeof (error as { code?: unknown }).code === 'string' ? ledgerError(error) : error;
  }
}

/** A command says what it has to say itself; the log is for those who ask for it. */
function loggerOf({ logLevel }: ClientSettings): LoggerService | false {
  const asked = process.env.DMS_LOG_LEVEL;
  return asked ? new PinoLogger({ level: logLevel, name: 'dms', descriptor: 2 }) : false;
}
