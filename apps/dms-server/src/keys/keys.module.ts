import { Module } from '@nestjs/common';
import { SettingsError } from '@app/platform';
import { FENCE_MEMORY, type FenceMemory } from '../fence/fence-memory.interface';
import { FenceModule } from '../fence/fence.module';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { CLIENT_KEYS, type ClientKeys } from './client-keys';
import { loadNodeKeys, NODE_KEYS } from './node-keys';
import { TrustedKeyFile } from './trusted-key-file.adapter';

/** The node's own keys, and those of the clients that it obeys. */
@Module({
  imports: [FenceModule],
  providers: [
    {
      provide: NODE_KEYS,
      useFactory: ({ runDir }: ServerSettings, memory: FenceMemory) => loadNodeKeys(runDir, memory.memoryId),
      inject: [SETTINGS, FENCE_MEMORY],
    },
    {
      provide: CLIENT_KEYS,
      useFactory: clientKeysOf,
      inject: [SETTINGS],
    },
  ],
  exports: [NODE_KEYS, CLIENT_KEYS],
})
export class KeysModule {}

async function clientKeysOf({ trustedKeysFile }: ServerSettings): Promise<ClientKeys> {
  if (trustedKeysFile === null) return { current: () => Promise.resolve([]) };
  try {
    return await TrustedKeyFile.open(trustedKeysFile);
  } catch (error) {
    throw new SettingsError([`DMS_TRUSTED_KEYS_FILE: ${(error as Error).message}`]);
  }
}
