import { Injectable } from '@nestjs/common';
import { NODE_STATES, type NodeDto } from '@app/contracts';
import { type Collector, MetricsPage, type Sample } from '@app/platform/metrics';
import { Gauge } from 'prom-client';
import { NodeViewsService } from '../nodes/node-views.service';
import { NodesService } from '../nodes/nodes.service';

/** Nodes beyond these are counted by state alone: a label is to have few values. */
const MAX_HOSTS = 1_000;

/** The nodes, as this process hears them. */
@Injectable()
export class NodesCollector implements Collector {
  readonly name = 'nodes';
  readonly #nodes: Gauge;
  readonly #up: Gauge;
  readonly #seen: Gauge;
  readonly #refusing: Gauge;
  readonly #refused: Gauge;
  readonly gauges: readonly Gauge[];

  constructor(
    page: MetricsPage,
    private readonly nodes: NodesService,
    private readonly views: NodeViewsService,
  ) {
    const gauge = (name: string, help: string, ...labelNames: string[]): Gauge =>
      new Gauge({ name, help, labelNames, registers: [page.registry] });
    this.#nodes = gauge('dms_nodes', 'Known nodes by state.', 'state');
    this.#up = gauge(
      'dms_node_up',
      '1 if the node said hello within six seconds; not for nodes that say none (legacy, forgotten).',
      'host',
    );
    this.#seen = gauge(
      'dms_node_last_seen_timestamp_seconds',
      'When the node was last heard, in seconds since the epoch; half a minute exact for one that is silent.',
      'host',
    );
    this.#refusing = gauge(
      'dms_node_refuses_commands',
      '1 if the node is up but carries out no command of this dms-client: "dms nodes" says why.',
      'host',
    );
    this.#refused = gauge(
      'dms_nodes_key_refused',
      'Nodes in whose name a hello with another key was refused.',
    );
    this.gauges = [this.#nodes, this.#up, this.#seen, this.#refusing, this.#refused];
    page.add(this);
  }

  async collect(): Promise<readonly Sample[]> {
    const { nodes } = await this.nodes.list();
    const heard = this.views.upHosts();
    const isUp = ({ host, state }: NodeDto): boolean => heard.has(host) || state === 'up';
    const speaking = nodes.filter(({ state }) => state !== 'legacy' && state !== 'forgotten');
    return [
      ...NODE_STATES.map((state) => ({
        gauge: this.#nodes,
        labels: { state },
        value: nodes.filter((node) => node.state === state).length,
      })),
      ...speaking.slice(0, MAX_HOSTS).flatMap((node): Sample[] => {
        const labels = { host: node.host };
        const seen = heard.has(node.host) ? Date.now() : Date.parse(node.last_seen ?? '');
        return [
          { gauge: this.#up, labels, value: isUp(node) ? 1 : 0 },
          { gauge: this.#refusing, labels, value: isUp(node) && node.problem !== null ? 1 : 0 },
          ...(Number.isNaN(seen) ? [] : [{ gauge: this.#seen, labels, value: seen / 1000 }]),
        ];
      }),
      { gauge: this.#refused, value: nodes.filter((node) => node.refused_key_id !== null).length },
    ];
  }
}
