import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { MountsModule } from '../mounts/mounts.module';
import { ProvidersModule } from '../providers/providers.module';
import { InventoryController } from './inventory.controller';
import { InventoryService } from './inventory.service';

@Module({
  imports: [FenceModule, MountsModule, ProvidersModule],
  controllers: [InventoryController],
  providers: [InventoryService],
})
export class InventoryModule {}
