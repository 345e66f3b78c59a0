/** Something did not come in time. */
export class LateError extends Error {}

/**
 * What `work` comes to, if it does so in time. It is not stopped otherwise; its end is then of no interest.
 *
 * @param what for the error's text, e.g. `the broker's answer`
 */
export async function within<T>(work: Promise<T>, milliseconds: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new LateError(`Timed out after ${milliseconds} ms: ${what}`));
    }, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
