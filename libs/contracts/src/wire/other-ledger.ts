/**
 * Why a node does not do what a dms-client asks of it, as the end of a sentence.
 *
 * @param served the ledger of which the node has something mounted
 * @param ours that of the dms-client
 */
export function servesAnother(served: string | null | undefined, ours: string | null | undefined): string {
  return `the node serves the ledger ${served ?? 'of another database'} as long as it has anything of it mounted, and this is of the ledger ${ours ?? 'of another one'}. Check DMS_DB_URL of this dms-client: all dms-clients of one broker share one database. If the database was made anew on purpose: dms-server forget-ledger, on the node`;
}
