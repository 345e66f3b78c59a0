import { type Asked, type NfsReplies } from '../kernel/nfs-replies.interface';

/** An NFS server that still replies when the time of a question is over, or does not. */
export class FakeReplies implements NfsReplies {
  answering = false;

  async during<T>(_mountPath: string, _withinMs: number, question: () => Promise<T>): Promise<Asked<T>> {
    return { result: await question(), isAnswering: () => Promise.resolve(this.answering) };
  }
}
