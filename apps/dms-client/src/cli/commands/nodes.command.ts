import { type NodeDetailDto } from '@app/contracts';
import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { type DmsApi } from '../api/dms-api';
import { Output } from '../output';
import { UsageError } from '../usage-error';
import { nodesView, nodeView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

interface NodesOptions extends CommonOptions {
  readonly drain?: boolean;
  readonly undrain?: boolean;
  readonly forget?: boolean;
  readonly fenced?: boolean;
  readonly acceptKey?: string;
}

@Command({
  name: 'nodes',
  arguments: '[host]',
  argsDescription: { host: 'show this node, and what it sees now' },
  description: 'List the known nodes, show one, drain or forget it, or say which key is its own.',
})
export class NodesCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run([host]: string[], options: NodesOptions): Promise<void> {
    const { drain, undrain, forget, fenced, acceptKey, format } = options;
    const decisions = [drain, undrain, forget, acceptKey].filter((option) => option !== undefined).length;
    if (decisions > 1) throw new UsageError('--drain, --undrain, --forget, --accept-key: give one of them');
    if (decisions > 0 && host === undefined) {
      throw new UsageError('--drain, --undrain, --forget and --accept-key need the name of a node');
    }
    if (forget && !fenced) {
      throw new UsageError(
        '--forget needs --fenced: make sure first that the node is off, and cannot come back with its mounts',
      );
    }
    const api = await this.output.during('connecting', () => this.connection.open());
    if (host === undefined) return this.output.print(format, await api.nodes(), nodesView);
    const node = decisions > 0 ? decided(api, host, options) : api.node(host);
    await this.output.print(format, await this.output.during('asking', () => node), nodeView);
  }

  @Option({ flags: '--drain', description: 'let no new holds onto the node' })
  drain(): boolean {
    return true;
  }

  @Option({ flags: '--undrain', description: 'let new holds onto the node again' })
  undrain(): boolean {
    return true;
  }

  @Option({ flags: '--forget', description: 'give up a node that is gone for good; needs --fenced' })
  forget(): boolean {
    return true;
  }

  @Option({
    flags: '--accept-key <key-id>',
    description:
      "the node's key is the one with this id, which its dms-server has logged; none: it has no key",
  })
  acceptKey(text: string): string {
    return text;
  }

  @Option({
    flags: '--fenced',
    description: 'I made sure that the node is off and cannot come back with its mounts',
  })
  fenced(): boolean {
    return true;
  }
}

function decided(api: DmsApi, host: string, options: NodesOptions): Promise<NodeDetailDto> {
  const { undrain = false, forget = false, fenced = false, acceptKey } = options;
  if (acceptKey !== undefined) return api.acceptKey(host, acceptKey === 'none' ? null : acceptKey);
  return forget ? api.forget(host, fenced) : api.drain(host, !undrain);
}
