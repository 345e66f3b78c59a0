/**
 * Who reads what a program prints, `head` for one, may have enough before its end: then the program ends without a word.
 * Who reads its errors may be gone, too, which ends nothing.
 */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.stderr.on('error', () => undefined);
}
