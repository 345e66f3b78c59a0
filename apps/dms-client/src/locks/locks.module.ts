import { Module } from '@nestjs/common';
import { LocksHttpController } from './locks.http.controller';
import { LocksService } from './locks.service';

@Module({ controllers: [LocksHttpController], providers: [LocksService], exports: [LocksService] })
export class LocksModule {}
