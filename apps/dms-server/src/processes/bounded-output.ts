/** Keeps the beginning and the end of an output of any length, `limit` bytes of each. */
export class BoundedOutput {
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);
  #dropped = 0;

  constructor(private readonly limit: number) {}

  add(chunk: Buffer): void {
    const room = this.limit - this.#head.length;
    this.#head = room > 0 ? Buffer.concat([this.#head, chunk.subarray(0, room)]) : this.#head;
    const tail = Buffer.concat([this.#tail, chunk.subarray(Math.max(room, 0))]);
    const excess = Math.max(tail.length - this.limit, 0);
    this.#dropped += excess;
    this.#tail = tail.subarray(excess);
  }

  toString(): string {
    const gap = this.#dropped > 0 ? `\n[${this.#dropped} bytes left out]\n` : '';
    return this.#head.toString('utf8') + gap + this.#tail.toString('utf8');
  }
}
