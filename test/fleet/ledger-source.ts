import { Secret } from '@app/contracts';
import { type DataSource } from 'typeorm';
import { createDataSource } from '../../apps/dms-client/src/ledger/data-source';

const POOL = 5;

/** Address of another database of the same server, with the same account. */
export function databaseAddress(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** Work on a database, opened as dms-client opens its ledger's and closed when the work has ended. */
export async function onLedgerSource<T>(url: string, work: (source: DataSource) => Promise<T>): Promise<T> {
  const source = createDataSource({
    databaseUrl: new Secret(url),
    databasePool: POOL,
    databaseCaFile: null,
  });
  await source.initialize();
  try {
    return await work(source);
  } finally {
    await source.destroy();
  }
}
