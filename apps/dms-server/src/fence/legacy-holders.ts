import { randomUUID } from 'node:crypto';
import { type LegacyHolderView } from '@app/contracts';
import { type LegacyHolder } from './target-record';

/** More of one target are kept as one whose job is not known: the list travels in replies. */
const MAX_HOLDERS = 32;

/** Milliseconds of the kernel's monotonic clock, which all processes of a boot share. */
export function sinceBoot(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** The holders of a mount that was carried out for a job's Python program just now. An earlier one of that job is over. */
export function withHolder(holders: readonly LegacyHolder[], jobid: number | null): LegacyHolder[] {
  const others = holders.filter((holder) => holder.jobid !== jobid);
  const kept =
    others.length < MAX_HOLDERS
      ? others
      : [newHolder(null), ...others.filter((holder) => holder.jobid !== null).slice(2 - MAX_HOLDERS)];
  return [...kept, newHolder(jobid)];
}

/** As a client is told of them, so that it can look in its ledger whether their jobs have ended. */
export function viewOf(holders: readonly LegacyHolder[]): LegacyHolderView[] {
  const now = sinceBoot();
  return holders.map(({ id, jobid, since }) => ({ id, jobid, age_ms: Math.max(0, now - since) }));
}

function newHolder(jobid: number | null): LegacyHolder {
  return { id: randomUUID(), jobid, since: sinceBoot() };
}
