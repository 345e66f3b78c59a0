import { type DynamicModule, Global, Module } from '@nestjs/common';
import { SETTINGS, type ServerSettings } from './server.settings';

/** Gives the settings, parsed once, to all modules. */
@Global()
@Module({})
export class SettingsModule {
  static of(settings: ServerSettings): DynamicModule {
    return {
      module: SettingsModule,
      providers: [{ provide: SETTINGS, useValue: settings }],
      exports: [SETTINGS],
    };
  }
}
