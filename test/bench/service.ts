import 'reflect-metadata';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { LedgerModule } from '../../apps/dms-client/src/ledger/ledger.module';
import { MountsModule } from '../../apps/dms-client/src/mounts/mounts.module';
import { MountsService } from '../../apps/dms-client/src/mounts/mounts.service';
import { loadClientSettings } from '../../apps/dms-client/src/settings/client.settings';
import { SettingsModule } from '../../apps/dms-client/src/settings/settings.module';

/** The mounts service of dms-client inside this process, without HTTP. */
export interface InProcessService {
  readonly mounts: MountsService;
  close(): Promise<void>;
}

/** @param environment settings as a dms-client would get them */
export async function startService(environment: Record<string, string>): Promise<InProcessService> {
  @Module({
    imports: [SettingsModule.forRoot(loadClientSettings(environment)), LedgerModule.forRoot(), MountsModule],
  })
  class ServiceModule {}
  const context: INestApplicationContext = await NestFactory.createApplicationContext(ServiceModule, {
    logger: ['error', 'warn'],
  });
  context.enableShutdownHooks();
  return { mounts: context.get(MountsService), close: () => context.close() };
}
