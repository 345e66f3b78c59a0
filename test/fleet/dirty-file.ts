import { type NfsNode } from './nfs-node.interface';

/**
 * Maps a file, closes it and writes to the memory. Closing a file sends what was written to it to the server, and so
 * does the end of a process that has one open: what stands only in mapped memory is left to the kernel.
 */
const PROGRAM = `
import ctypes, os, sys, time
size = 1 << 20
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(descriptor, size)
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
address = libc.mmap(None, size, 3, 1, descriptor, 0)
os.close(descriptor)
ctypes.memmove(address, b'x' * size, size)
print('written', flush=True)
time.sleep(600)
`;

/** A file of a mount with a mebibyte that the client has not sent to the server yet. */
export class DirtyFile {
  private constructor(
    private readonly node: NfsNode,
    private readonly pid: number,
  ) {}

  /** @param path of a file in a mount whose server answers */
  static async write(node: NfsNode, path: string): Promise<DirtyFile> {
    const program = Buffer.from(PROGRAM).toString('base64');
    const { output } = await node.sh(
      [
        'said=$(mktemp)',
        `python3 -c "$(echo ${program} | base64 -d)" ${path} >$said 2>&1 </dev/null &`,
        'until grep -q . $said; do sleep 0.05; done',
        'echo "$! $(cat $said)"',
      ].join('\n'),
    );
    if (!output.includes('written')) throw new Error(`No unwritten data could be made: ${output}`);
    return new DirtyFile(node, parseInt(output, 10));
  }

  /** Kills the program: nobody has the file open any more, and the data is in the node's memory still. */
  async leave(): Promise<void> {
    await this.node.sh(`kill -KILL ${this.pid}; while kill -0 ${this.pid} 2>/dev/null; do sleep 0.05; done`);
  }
}
