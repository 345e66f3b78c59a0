import { type TargetKey } from '../ledger/target-key';

/** The first targets of each node, then the second ones, and so on, `most` in all: one node does not hide the others. */
export function inTurns(targets: readonly TargetKey[], most: number): TargetKey[] {
  const ranks = new Map<string, number>();
  const ranked = targets.map((key) => {
    const rank = ranks.get(key.host) ?? 0;
    ranks.set(key.host, rank + 1);
    return { key, rank };
  });
  const sorted = ranked.sort((one, other) => one.rank - other.rank);
  return sorted.slice(0, most).map(({ key }) => key);
}
