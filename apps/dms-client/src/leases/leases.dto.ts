import { IsInt, IsOptional, Max, Min } from 'class-validator';

/** How long a hold is to last. */
export class RenewRequestDto {
  /** Seconds from now; absent: as many as were asked for last. */
  @IsOptional()
  @IsInt({ message: 'must be a whole number of seconds' })
  @Min(10, { message: 'must be at least 10 seconds' })
  @Max(7 * 24 * 3600, { message: 'must be at most a week' })
  lease_s?: number | null;
}
