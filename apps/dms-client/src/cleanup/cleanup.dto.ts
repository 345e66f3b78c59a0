import { Satisfies } from '@app/contracts';
import { IsBoolean, IsOptional } from 'class-validator';

/** A hundred years: more would not be a time of the database's any more. */
const MAX_HOURS = 876_000;

function hoursProblem(value: unknown): string | null {
  return typeof value === 'number' && value > 0 && value <= MAX_HOURS
    ? null
    : `must be a number of hours above 0, at most ${MAX_HOURS}`;
}

/** Which entries are stale, and what is done with them. */
export class CleanupRequestDto {
  /** Entries that were not changed for longer than this. */
  @Satisfies(hoursProblem)
  hours: number;

  /** Only tell what would be removed. */
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  dry_run?: boolean | null;

  /** Held ones too: they are released, and the last hold of a target takes its mount away. */
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  held?: boolean | null;
}
