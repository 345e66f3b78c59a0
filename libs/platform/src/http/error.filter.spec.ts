import { type AddressInfo } from 'node:net';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { DmsError } from '@app/contracts';
import { ErrorFilter } from './error.filter';

@Controller()
class Answers {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
  ) {}

  @Get('ready')
  @HealthCheck()
  ready(): Promise<unknown> {
    return this.health.check([
      () => this.indicators.check('database').up(),
      () => this.indicators.check('broker').down('not connected'),
    ]);
  }

  @Get('unavailable')
  unavailable(): never {
    throw new DmsError('BROKER_UNAVAILABLE', 'The broker cannot be reached');
  }
}

@Module({ imports: [TerminusModule.forRoot({ logger: false })], controllers: [Answers] })
class AnswersModule {}

describe('the filter of errors', () => {
  let application: INestApplication;
  const ask = async (path: string): Promise<{ status: number; retryAfter: string | null; body: unknown }> => {
    const { port } = (application.getHttpServer() as { address(): AddressInfo }).address();
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      body: await answer.json(),
    };
  };

  beforeAll(async () => {
    application = await NestFactory.create(AnswersModule, { logger: false });
    application.useGlobalFilters(new ErrorFilter());
    await application.listen(0, '127.0.0.1');
  });
  afterAll(() => application.close());

  it("lets Terminus' answer to a check that failed through, which names the parts", async () => {
    const [up, down] = [{ status: 'up' }, { status: 'down', message: 'not connected' }];
    expect(await ask('/ready')).toEqual({
      status: 503,
      retryAfter: '5',
      body: {
        status: 'error',
        info: { database: up },
        error: { broker: down },
        details: { database: up, broker: down },
      },
    });
  });

  it('makes the one error body of every other 503', async () => {
    expect(await ask('/unavailable')).toEqual({
      status: 503,
      retryAfter: '5',
      body: {
        status: 'error',
        error_msg: 'The broker cannot be reached',
        success_msg: null,
        error_code: 'BROKER_UNAVAILABLE',
      },
    });
  });
});
