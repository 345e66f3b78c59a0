import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { DataSource } from 'typeorm';
import { poolOf } from '../ledger/failover-pool';
import { failureText } from '../ledger/ledger-errors';

const TIMEOUT_MS = 2_000;

/** Asks whether the ledger can be written; Terminus' own indicator is content if it can be read. */
@Injectable()
export class LedgerHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly dataSource: DataSource,
  ) {}

  async check(key: string): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check(key);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<HealthIndicatorResult>((resolve) => {
      timer = setTimeout(() => resolve(indicator.down('the database does not answer in time')), TIMEOUT_MS);
    });
    const asked = poolOf(this.dataSource)
      .check()
      .then(
        (server) => indicator.up({ server }),
        (error: unknown) => indicator.down(`the database ${failureText(error)}`),
      );
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
