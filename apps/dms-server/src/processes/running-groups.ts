import { Injectable } from '@nestjs/common';

/** The process groups of the children that run now. */
@Injectable()
export class RunningGroups extends Set<number> {}
