import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { HelloModule } from '../hello/hello.module';
import { KeysModule } from '../keys/keys.module';
import { brokerProvider } from './broker.provider';
import { CallerChecks } from './caller-checks';
import { CommandDecoder } from './command.decoder';
import { CommandGate } from './command-gate';
import { CommandSignatures } from './command-signatures';
import { NodeCommandServer } from './node-command.server';
import { ReplySigner } from './reply.signer';

@Module({
  imports: [FenceModule, HelloModule, KeysModule],
  providers: [
    brokerProvider,
    CallerChecks,
    CommandGate,
    CommandSignatures,
    CommandDecoder,
    ReplySigner,
    NodeCommandServer,
  ],
  exports: [NodeCommandServer],
})
export class CommandsModule {}
