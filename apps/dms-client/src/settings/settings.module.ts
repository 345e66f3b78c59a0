import { type DynamicModule, Module } from '@nestjs/common';
import { type ClientSettings, SETTINGS } from './client.settings';

/** Gives the typed settings, read before NestJS starts, to all modules. */
@Module({})
export class SettingsModule {
  static forRoot(settings: ClientSettings): DynamicModule {
    const provider = { provide: SETTINGS, useValue: settings };
    return { module: SettingsModule, global: true, providers: [provider], exports: [SETTINGS] };
  }
}
