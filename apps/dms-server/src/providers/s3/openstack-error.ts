import { plainText, type Secret } from '@app/contracts';

const MAX_CHARACTERS = 300;

/**
 * What an OpenStack service says in the body of an error, which has one of two shapes: `{title, description}` of
 * Barbican or `{error: {message}}` of Keystone and its middleware. Empty where it is neither.
 *
 * @param token what was sent and must not come back in an error text
 */
export function saidIn(body: string, token: Secret): string {
  const parsed = parseObject(body);
  const error = asObject(parsed?.error);
  const text = [parsed?.description, error?.message, parsed?.title, error?.title].find(
    (candidate) => typeof candidate === 'string',
  );
  if (typeof text !== 'string') return '';
  return plainText(text.replaceAll(token.reveal(), '***')).slice(0, MAX_CHARACTERS).trim();
}

/** `text` as a JSON object, null where it is anything else. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null; // no JSON at all
  }
}

export function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
