import { Gauge } from 'prom-client';
import { type Collector, MetricsPage, type Sample } from './metrics-page';

describe('the page of metrics', () => {
  let page: MetricsPage;
  let collect: () => Promise<readonly Sample[]>;
  let collections = 0;
  let now = 0;

  const add = (): { plain: Gauge; labelled: Gauge } => {
    const registers = [page.registry];
    const plain = new Gauge({ name: 'dms_plain', help: 'Plain.', registers });
    const labelled = new Gauge({ name: 'dms_labelled', help: 'Labelled.', labelNames: ['state'], registers });
    const collector: Collector = {
      name: 'ledger',
      gauges: [plain, labelled],
      collect: () => {
        collections += 1;
        return collect();
      },
    };
    page.add(collector);
    return { plain, labelled };
  };
  const lines = async (): Promise<string[]> =>
    (await page.text()).split('\n').filter((line) => /^dms_(plain|labelled|collector|scrape)/.test(line));

  beforeEach(() => {
    collections = 0;
    now = 0;
    jest.useFakeTimers({ doNotFake: ['performance', 'nextTick', 'queueMicrotask', 'setImmediate'] });
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    page = new MetricsPage('a-program', '1.2.3');
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('says which program it is', async () => {
    expect(await page.text()).toContain('dms_build_info{program="a-program",version="1.2.3"');
  });

  it('calls no gauge as counters are called, and has those of Node.js whose sums it leaves out', async () => {
    const text = await page.text();
    expect(text.match(/^# TYPE \S+_total gauge$/gm)).toBeNull();
    for (const name of ['handles', 'requests', 'resources'])
      expect(text).toContain(`# TYPE nodejs_active_${name} gauge`);
    expect(text).toContain('# TYPE process_cpu_seconds_total counter');
  });

  it('shows what was collected, and collects again only after a while', async () => {
    const { plain, labelled } = add();
    let state = 'good';
    collect = () =>
      Promise.resolve([
        { gauge: plain, value: 7 },
        { gauge: labelled, labels: { state }, value: 1 },
      ]);
    const expected = (shown: string): string[] => [
      'dms_collector_up{collector="ledger"} 1',
      'dms_scrape_errors_total{collector="ledger"} 0',
      'dms_plain 7',
      `dms_labelled{state="${shown}"} 1`,
    ];
    expect(await lines()).toEqual(expected('good'));
    state = 'bad';
    now = 4_999;
    expect(await lines()).toEqual(expected('good'));
    expect(collections).toBe(1);
    now = 5_000;
    expect(await lines()).toEqual(expected('bad'));
  });

  it('leaves out what could not be collected, and the rest stays', async () => {
    const { plain, labelled } = add();
    collect = () => Promise.resolve([{ gauge: plain, value: 7 }, { gauge: labelled, labels: { state: 'x' }, value: 1 }]); // prettier-ignore
    await page.text();
    now = 10_000;
    collect = () => Promise.reject(new Error('away'));
    expect(await lines()).toEqual([
      'dms_collector_up{collector="ledger"} 0',
      'dms_scrape_errors_total{collector="ledger"} 1',
    ]);
    expect(await page.text()).toContain('dms_build_info');
  });

  it('waits for a collector for a bounded time, and does not begin it again beside itself', async () => {
    const { plain } = add();
    let end: (samples: Sample[]) => void = () => undefined;
    collect = () => new Promise((resolve) => (end = resolve));
    const first = lines();
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await first).toContain('dms_collector_up{collector="ledger"} 0');
    const second = lines();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(collections).toBe(1);
    end([{ gauge: plain, value: 9 }]);
    expect(await second).toEqual(
      expect.arrayContaining(['dms_collector_up{collector="ledger"} 1', 'dms_plain 9']),
    );
  });
});
