import { typeName } from '../rules/identifiers';

/** What a body may hold. Larger ones are nobody's request, and some libraries take more than linear work for them. */
export const BODY_BOUNDS = {
  /** Objects and lists in one another. */
  levels: 100,
  /** Keys of one object. */
  keys: 1_000,
  /** Elements of one list. */
  elements: 10_000,
  /** Values in all, objects and lists included. */
  values: 50_000,
  /** UTF-16 units of one key or text. */
  characters: 65_536,
} as const;

/** Which bound `body` breaks, as the end of a sentence; null where it breaks none. Looks at no more than fits. */
export function boundProblem(body: object): string | null {
  let values = 1;
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string' && value.length > BODY_BOUNDS.characters)
        return tooMany('characters', 'a text');
      if (typeof value !== 'object' || value === null) continue;
      if (depth === BODY_BOUNDS.levels) return `must not be nested deeper than ${BODY_BOUNDS.levels} levels`;
      const problem = sizeProblem(value);
      if (problem !== null) return problem;
      const inside: unknown[] = Object.values(value);
      values += inside.length;
      if (values > BODY_BOUNDS.values) return tooMany('values', 'all of it');
      for (const item of inside) next.push(item);
    }
    level = next;
  }
  return null;
}

/** Of one object or list, without what stands in it. */
function sizeProblem(value: object): string | null {
  if (Array.isArray(value))
    return value.length > BODY_BOUNDS.elements ? tooMany('elements', typeName(value)) : null;
  const keys = Object.keys(value);
  if (keys.length > BODY_BOUNDS.keys) return tooMany('keys', 'an object');
  return keys.some((key) => key.length > BODY_BOUNDS.characters) ? tooMany('characters', 'a key') : null;
}

function tooMany(what: keyof typeof BODY_BOUNDS, where: string): string {
  return `must have at most ${BODY_BOUNDS[what]} ${what} in ${where}`;
}
