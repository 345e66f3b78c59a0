import { type Hello } from '@app/contracts';

/**
 * Why the node cannot carry out commands of this process, by its newest hello; null if nothing is known to keep it from that.
 *
 * @param keyId id of the key with which this process signs; null: it does not
 */
export function problemOf(
  { problem, trusted_clients }: Pick<Hello, 'problem' | 'trusted_clients'>,
  keyId: string | null,
): string | null {
  if (problem !== undefined) return problem;
  if (trusted_clients === undefined || (keyId !== null && trusted_clients.includes(keyId))) return null;
  const remedy = "add this dms-client's key to DMS_TRUSTED_KEYS_FILE of the node";
  return keyId === null
    ? 'refuses unsigned commands, and this dms-client has no DMS_SIGNING_KEY_FILE'
    : `refuses the key of this dms-client (${keyId}): ${remedy}`;
}
