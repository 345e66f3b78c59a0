import { type ValueTransformer } from 'typeorm';

/** BIGINT columns of ours hold at most 2^53-1, so a number keeps them exact where the driver gives a string. */
export const asNumber: ValueTransformer = {
  to: (value: number | null | undefined) => value,
  from: (value: string | number | null) => (value === null ? null : Number(value)),
};
