import { Command } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { nodesView, nodeView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

@Command({
  name: 'nodes',
  arguments: '[host]',
  argsDescription: { host: 'show this node, and what it sees now' },
  description: 'List the known nodes, or show one.',
})
export class NodesCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run([host]: string[], { format }: CommonOptions): Promise<void> {
    const api = await this.output.during('connecting', () => this.connection.open());
    if (host === undefined) await this.output.print(format, await api.nodes(), nodesView);
    else await this.output.print(format, await this.output.during('asking', () => api.node(host)), nodeView);
  }
}
