import { Module } from '@nestjs/common';
import { LateGrantsService } from './late-grants.service';
import { OperationsHttpController } from './operations.http.controller';
import { OperationsRepository } from './operations.repository';
import { OperationsService } from './operations.service';

/** The records of all requests, to read. */
@Module({
  controllers: [OperationsHttpController],
  providers: [LateGrantsService, OperationsRepository, OperationsService],
  exports: [OperationsService],
})
export class OperationsModule {}
