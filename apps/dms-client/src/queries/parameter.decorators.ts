import { applyDecorators } from '@nestjs/common';
import { type Rule, Satisfies } from '@app/contracts';
import { Transform } from 'class-transformer';

/** Decorators for what query strings and paths carry: text on the way in, values of the right type after it. */

/** Entries of a list that does not say how many. */
export const DEFAULT_LIMIT = 100;

/** A whole number from `least` to `most`. */
export function WholeNumber(least: number, most: number): PropertyDecorator {
  return read(
    (text) => (/^\d{1,16}$/.test(text) ? Number(text) : text),
    function wholeNumber(value) {
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
      return fits ? null : `must be a whole number from ${least} to ${most}`;
    },
  );
}

const FLAGS: Readonly<Record<string, boolean>> = {
  '': true,
  true: true,
  '1': true,
  false: false,
  '0': false,
};

/** `true` or `false`, in any case; the name alone is true. */
export function Flag(): PropertyDecorator {
  return read(
    (text) => (Object.hasOwn(FLAGS, text.toLowerCase()) ? FLAGS[text.toLowerCase()] : text),
    function flag(value) {
      return typeof value === 'boolean' ? null : 'must be true or false';
    },
  );
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?<zone>Z|[+-]\d{2}:\d{2})?)?$/;

/** A point in time, ISO 8601; without a zone it is UTC. */
export function PointInTime(): PropertyDecorator {
  return read(asTime, function pointInTime(value) {
    return value instanceof Date
      ? null
      : 'must be a time as in ISO 8601, e.g. 2026-11-21 or 2026-11-21T10:00:00Z';
  });
}

function asTime(text: string): Date | string {
  const match = ISO_TIME.exec(text);
  if (match === null) return text;
  // JavaScript reads a date as UTC, but a date with a time and no zone as local time.
  const time = new Date(text.includes('T') && match.groups?.zone === undefined ? `${text}Z` : text);
  return Number.isNaN(time.getTime()) ? text : time;
}

function read(convert: (text: string) => unknown, rule: Rule): PropertyDecorator {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? convert(value) : value)),
    Satisfies(rule),
  );
}
