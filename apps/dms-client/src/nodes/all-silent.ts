import { type NodeState } from '@app/contracts';

/** Returns what to do first if no node is heard of several: the cause is hardly in each of them. Null: some are heard. */
export function allSilentWarning(states: readonly NodeState[]): string | null {
  const speaking = states.filter((state) => state === 'up' || state === 'silent');
  if (speaking.length < 2 || speaking.includes('up')) return null;
  return `All ${speaking.length} nodes are silent: check the message broker first, and the connection of this dms-client to it (/health/ready).`;
}
