import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../support/child';
import { cleanEnvironment } from '../support/environment';
import { freePort } from '../support/ports';
import { Service } from '../support/service';

export interface PrometheusOptions {
  readonly directory: string;
  /** Files of alert rules. */
  readonly rules: readonly string[];
  /** Addresses (host:port) by the name of the job. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
}

export interface ScrapedTarget {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
}

export interface SeenAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** A private Prometheus that scrapes, and evaluates its rules, every second. */
export class Prometheus extends Service {
  private port = 0;

  constructor(private readonly options: PrometheusOptions) {
    super('Prometheus', options.directory);
  }

  async targets(): Promise<ScrapedTarget[]> {
    const { activeTargets } = await this.get<{ activeTargets: ScrapedTarget[] }>('targets?state=active');
    return activeTargets;
  }

  async alerts(): Promise<SeenAlert[]> {
    return (await this.get<{ alerts: SeenAlert[] }>('alerts')).alerts;
  }

  /** The value of each series, for an expression; throws Prometheus' words where it is wrong. */
  async query(expression: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    const { result } = await this.get<{
      result: { metric: Record<string, string>; value: [number, string] }[];
    }>(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  protected override async choosePorts(): Promise<readonly number[]> {
    this.port = await freePort();
    return [this.port];
  }

  protected override async prepare(): Promise<void> {
    const { rules, targets } = this.options;
    await mkdir(join(this.directory, 'data'), { recursive: true });
    // JSON is YAML.
    const configuration = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: rules,
      scrape_configs: Object.entries(targets).map(([job, addresses]) => ({
        job_name: job,
        static_configs: [{ targets: addresses }],
      })),
    };
    await writeFile(this.configurationFile, JSON.stringify(configuration));
  }

  protected override async launch(): Promise<Child> {
    return await Child.start({
      name: this.title,
      command: '/usr/bin/prometheus',
      args: [
        `--config.file=${this.configurationFile}`,
        `--storage.tsdb.path=${join(this.directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${this.port}`,
      ],
      directory: this.directory,
      logFile: this.logFile,
      environment: cleanEnvironment({ HOME: this.directory }),
    });
  }

  protected override async isReady(child: Child): Promise<boolean> {
    return (await child.log()).includes('Server is ready to receive web requests');
  }

  private get configurationFile(): string {
    return join(this.directory, 'prometheus.json');
  }

  private async get<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`Prometheus says of ${path}: ${answer.error}`);
    return answer.data;
  }
}
