import {
  ArrayMaxSize,
  IsArray,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  MaxLength,
  Min,
} from 'class-validator';

/**
 * What this project adds to a request on the wire, under the key `dms`, where an older peer ignores it.
 * (incarnation, epoch) is the fence: a node acts on a command only if both fit what it remembers.
 */
export class EnvelopeDto {
  @IsInt()
  @Min(1)
  protocol: number;

  /** The node's memory that the sender has in mind; null where it has heard of none. */
  @IsOptional()
  @IsString()
  @MaxLength(64)
  incarnation: string | null;

  /** Grows with each physical intention for this target on this node; 0 for a probe. */
  @IsInt()
  @Min(0)
  epoch: number;

  @IsUUID()
  operation_id: string;

  /** Milliseconds that the sender will wait for the reply, counted from when it was sent. */
  @IsInt()
  @Min(1)
  deadline_ms: number;

  /**
   * The node's own clock (`clock_ms` of its hello) when the command was sent, as the sender reckons it. A command can
   * lie in the buffers of a broker for long: the node does not begin one that is older than its deadline. Absent: the
   * sender has heard no such hello.
   */
  @IsOptional()
  @IsInt()
  @Min(0)
  sent_clock_ms?: number | null;

  /** Id of the sender's ledger; absent where it is an older program. A node serves one ledger at a time. */
  @IsOptional()
  @IsString()
  @Length(1, 64)
  ledger?: string | null;

  /** In an unmount: the `legacy_holders` of an earlier answer whose jobs have ended by the sender's ledger. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MaxLength(64, { each: true })
  legacy_ended?: string[] | null;

  /** The Keystone token, sealed for this node and this command; `keystone_token` is null then. See sealed-token.ts. */
  @IsOptional()
  @IsString()
  @MaxLength(32 * 1024)
  sealed_token?: string | null;
}
