import { DmsError, type NodeCommand, parseCommand } from '@app/contracts';

const MAX_BODY_BYTES = 1024 * 1024;

/** A message as it was understood; `extended` says whether its sender knows more than the three keys of a reply. */
export type DecodedMessage =
  | { readonly kind: 'command'; readonly command: NodeCommand; readonly extended: boolean }
  | { readonly kind: 'refused'; readonly error: DmsError; readonly extended: boolean };

/**
 * The body of a message as a command for this node. It never throws: whatever was sent gets an answer.
 *
 * @param node the name of this node
 */
export function decodeMessage(content: Buffer, node: string): DecodedMessage {
  if (content.length > MAX_BODY_BYTES) {
    const error = new DmsError('TOO_LARGE', `body: must have at most ${MAX_BODY_BYTES} bytes`);
    return { kind: 'refused', error, extended: false };
  }
  let body: unknown;
  try {
    body = JSON.parse(content.toString('utf8'));
  } catch {
    const error = new DmsError('VALIDATION_FAILED', 'Invalid JSON format in request');
    return { kind: 'refused', error, extended: false };
  }
  const extended = hasEnvelope(body);
  try {
    return { kind: 'command', command: parseCommand(body, node), extended };
  } catch (error) {
    return { kind: 'refused', error: DmsError.from(error), extended };
  }
}

function hasEnvelope(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const { dms } = body as { dms?: unknown };
  return dms !== undefined && dms !== null;
}
