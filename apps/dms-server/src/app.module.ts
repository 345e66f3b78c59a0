import { type DynamicModule, Module } from '@nestjs/common';
import { CommandsModule } from './commands/commands.module';
import { ControlModule } from './control/control.module';
import { HealthModule } from './health/health.module';
import { InventoryModule } from './inventory/inventory.module';
import { MountsModule } from './mounts/mounts.module';
import { type ServerSettings } from './settings/server.settings';
import { SettingsModule } from './settings/settings.module';
import { TelemetryModule } from './telemetry/telemetry.module';
import { WatchModule } from './watch/watch.module';

@Module({})
export class AppModule {
  static of(settings: ServerSettings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.of(settings),
        CommandsModule,
        MountsModule,
        InventoryModule,
        ControlModule,
        HealthModule,
        WatchModule,
        TelemetryModule,
      ],
    };
  }
}
