let steps = 0;

/** A new part of the demo. */
export function step(text: string): void {
  steps += 1;
  process.stdout.write(`\n${steps}. ${text}\n`);
}

/** What happened in it. */
export function say(text: string): void {
  process.stdout.write(`   ${text}\n`);
}
