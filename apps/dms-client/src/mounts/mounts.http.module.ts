import { Module } from '@nestjs/common';
import { IdempotencyRepository } from './idempotency.repository';
import { OperationsModule } from '../operations/operations.module';
import { IdempotencyService } from './idempotency.service';
import { MountRequestsService } from './mount-requests.service';
import { MountsHttpController } from './mounts.http.controller';
import { MountsModule } from './mounts.module';

@Module({
  imports: [MountsModule, OperationsModule],
  controllers: [MountsHttpController],
  providers: [IdempotencyRepository, IdempotencyService, MountRequestsService],
})
export class MountsHttpModule {}
