import { Inject, Injectable } from '@nestjs/common';
import { FuseRecord } from '../processes/fuse-record';
import { type ProcessIdentity, readSame } from '../processes/process-identity';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { type DaemonWatch } from './daemon-watch.interface';

@Injectable()
export class ProcDaemonWatch implements DaemonWatch {
  constructor(@Inject(SETTINGS) private readonly settings: ServerSettings) {}

  identityOf(targetId: string): Promise<ProcessIdentity | null> {
    return new FuseRecord(this.settings.runDir, targetId).identity();
  }

  async lives(identity: ProcessIdentity): Promise<boolean> {
    return (await readSame(identity)) !== null;
  }

  async cpuTicksOf(identity: ProcessIdentity): Promise<number | null> {
    return (await readSame(identity))?.cpuTicks ?? null;
  }
}
