import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../rig';

/** Where a FUSE program can be held: before it mounts, and after its mount is gone but before it ends. */
export type HoldPoint = 'start' | 'end';

const REACHED_MS = 30_000;

/**
 * A FUSE program for DMS_S3VAULTFUSE_BIN that does as s3vaultfuse.py does (no arguments, all in the environment,
 * s3fs in the end), and that a test can hold at a point, for one bucket, until it lets it go on.
 *
 * The signs between test and program are files in a directory: nothing depends on time.
 */
export class FuseProgram {
  private constructor(private readonly directory: string) {}

  /** @param directory is made; it must outlive the nodes that start the program */
  static async create(directory: string): Promise<FuseProgram> {
    await mkdir(directory, { recursive: true });
    const program = new FuseProgram(directory);
    await writeFile(program.path, scriptFor(directory), { mode: 0o755 });
    return program;
  }

  /** For DMS_S3VAULTFUSE_BIN. */
  get path(): string {
    return join(this.directory, 's3vaultfuse.sh');
  }

  /** The program will stop at `point` for this bucket; `end` must be asked for before the program starts. */
  async hold(point: HoldPoint, bucket: string): Promise<void> {
    await writeFile(this.#sign('hold', point, bucket), '');
  }

  async letGo(point: HoldPoint, bucket: string): Promise<void> {
    await rm(this.#sign('hold', point, bucket), { force: true });
  }

  /** Resolves when the program stands at `point`. */
  async reached(point: HoldPoint, bucket: string): Promise<void> {
    await this.#appears(
      this.#sign('at', point, bucket),
      `the FUSE program of ${bucket} to be at its ${point}`,
    );
  }

  /** The program will do its work in a child of its own and wait for that, as one with helpers does. */
  async makeParent(bucket: string): Promise<void> {
    await writeFile(this.#sign('parent', 'start', bucket), '');
  }

  /** The process id of the child that a parent started. */
  async childOf(bucket: string): Promise<number> {
    const file = this.#sign('child', 'start', bucket);
    await this.#appears(file, `the child of the FUSE program of ${bucket}`);
    return Number(await readFile(file, 'utf8'));
  }

  /** The program will write `bytes` of words to its standard error before it mounts, and once more when asked to. */
  async makeTalkative(bucket: string, bytes: number): Promise<void> {
    await writeFile(this.#sign('talk', 'start', bucket), String(bytes));
  }

  /** Has a talkative program, which has mounted, write as much again; resolves when all of it was taken from it. */
  async talkAgain(bucket: string): Promise<void> {
    await writeFile(this.#sign('talk', 'again', bucket), '');
    await this.#appears(this.#sign('talk', 'done', bucket), `all words of the FUSE program of ${bucket}`);
  }

  #sign(kind: string, point: string, bucket: string): string {
    return join(this.directory, `${kind}-${point}-${bucket}`);
  }

  async #appears(file: string, what: string): Promise<void> {
    await waitFor(() => existsSync(file), { timeoutMs: REACHED_MS, what });
  }
}

function scriptFor(directory: string): string {
  return `#!/bin/sh
signs='${directory}'
bucket=$vault_s3_bucket

stand() { # POINT: wait here as long as the test says so
  [ -e "$signs/hold-$1-$bucket" ] || return 0
  : >"$signs/at-$1-$bucket"
  while [ -e "$signs/hold-$1-$bucket" ]; do sleep 0.05; done
}

talk() {
  yes 'words of a daemon that has much to say, and says it on its standard error' | head -c "$words" >&2
}

if [ -e "$signs/talk-start-$bucket" ]; then
  words=$(cat "$signs/talk-start-$bucket")
  talk
  # It ends with the directory of the test at the latest.
  (while [ -e "$signs" ] && [ ! -e "$signs/talk-again-$bucket" ]; do sleep 0.05; done; talk; : >"$signs/talk-done-$bucket") &
fi
set -- s3fs "$bucket" "$vault_data_directory" -f -o "url=$vault_s3_endpoint_url" -o use_path_request_style \\
  -o fsname=TrilioVault,allow_other,nosuid,nodev,connect_timeout=3,readwrite_timeout=10,retries=2
if [ -e "$signs/parent-start-$bucket" ]; then
  (stand start; exec "$@") &
  echo $! >"$signs/child.new" && mv "$signs/child.new" "$signs/child-start-$bucket"
  wait $!
  exit $?
fi
stand start
[ -e "$signs/hold-end-$bucket" ] || exec "$@"
"$@"
status=$?
stand end
exit $status
`;
}
