/** What the broker says when it closes a channel. */
interface ChannelError {
  readonly code?: unknown;
  readonly message?: unknown;
}

const ACCESS_REFUSED = 403;
const RESOURCE_LOCKED = 405;
const PRECONDITION_FAILED = 406;

/** Another consumer has the queue for itself. */
export function isInExclusiveUse(error: unknown): boolean {
  const { code, message } = error as ChannelError;
  return code === ACCESS_REFUSED && typeof message === 'string' && message.includes('exclusive use');
}

/** Another connection has declared the queue for itself. */
export function isLocked(error: unknown): boolean {
  return (error as ChannelError).code === RESOURCE_LOCKED;
}

/** The account lacks a permission, or another consumer has the queue. */
export function isAccessRefused(error: unknown): boolean {
  return (error as ChannelError).code === ACCESS_REFUSED;
}

/** The broker will say the same until an operator has changed something. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as ChannelError;
  return code === ACCESS_REFUSED || code === RESOURCE_LOCKED || code === PRECONDITION_FAILED;
}
