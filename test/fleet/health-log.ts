import { type NfsNode } from './nfs-node.interface';

/** A health port that takes longer than this does not answer. */
const ANSWER_SECONDS = 3;

/** Asks the health port of a node's dms-server several times a second, from the node itself, until it is stopped. */
export class HealthLog {
  private constructor(
    private readonly node: NfsNode,
    private readonly file: string,
  ) {}

  static async start(node: NfsNode): Promise<HealthLog> {
    const file = `/run/health-${Date.now()}`;
    const ask = `curl -s -m ${ANSWER_SECONDS} -o /dev/null -w '%{http_code}\\n' ${node.healthUrl}/live`;
    await node.sh(`(while [ ! -e ${file}.stop ]; do ${ask}; sleep 0.3; done >${file} 2>&1 </dev/null &)`);
    return new HealthLog(node, file);
  }

  /** Ends it, and gives the statuses that were answered; 000 where there was no answer. */
  async stop(): Promise<string[]> {
    const { output } = await this.node.sh(`touch ${this.file}.stop; cat ${this.file}`);
    return output.split('\n').filter((line) => line !== '');
  }
}
