import { Injectable } from '@nestjs/common';

/** With which status a command that did its work exits. */
@Injectable()
export class ExitStatus {
  code = 0;
}
