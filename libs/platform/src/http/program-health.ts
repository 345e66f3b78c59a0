import { type HealthIndicatorResult, type HealthIndicatorService } from '@nestjs/terminus';
import { logLoss } from '../logging/log-output';
import { INSECURE_TLS_WARNING } from '../settings/tls.settings';

/** A program that checks no certificates is ready, and says so. */
export function tlsHealth(indicators: HealthIndicatorService, insecureTls: boolean): HealthIndicatorResult {
  const indicator = indicators.check('tls');
  return insecureTls ? indicator.up({ warning: INSECURE_TLS_WARNING }) : indicator.up();
}

/** Without its log a program is ready all the same, and says what was lost. */
export function logHealth(indicators: HealthIndicatorService): HealthIndicatorResult {
  const { lines, problem } = logLoss();
  const indicator = indicators.check('log');
  return indicator.up({ lost_lines: lines, ...(problem === null ? {} : { warning: problem }) });
}
