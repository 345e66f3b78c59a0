import { type OpenApi, type Schema } from './open-api';

export function referencesIn({ properties = {} }: Schema): string[] {
  return Object.values(properties).flatMap((schema) =>
    [schema, schema.items, ...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap((of) =>
      of?.$ref === undefined ? [] : [of.$ref.split('/').at(-1) ?? ''],
    ),
  );
}

export function resolved(schema: Schema, document: OpenApi): Schema {
  const reference = [schema, ...(schema.anyOf ?? []), ...(schema.allOf ?? [])].find(
    ({ $ref }) => $ref !== undefined,
  );
  return reference?.$ref === undefined ? schema : document.components.schemas[lastOf(reference.$ref)];
}

export function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = lastOf(schema.$ref);
    return name === 'Secret' ? 'string' : linkTo(name);
  }
  const several = schema.anyOf ?? schema.allOf;
  if (several !== undefined) return several.map(typeOf).join(' or ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  return [schema.type ?? 'any'].flat().join(' or ');
}

function linkTo(name: string): string {
  const title = nameOf(name);
  return name.endsWith('RequestDto') || ['RequestContextDto', 'JobDto', 'BackupTargetDto'].includes(name)
    ? 'object'
    : `[${title}](#${title.toLowerCase()})`;
}

export function meaningOf(schema: Schema): string {
  const { description, minimum, maximum, minLength, maxLength } = schema;
  // Sorted, for the compiler gives the words of a type in the order in which it happened to meet them.
  const values = schema.enum
    ?.filter((value) => value !== null)
    .map((value) => `\`${value}\``)
    .sort();
  const bounds = [
    ...(values === undefined ? [] : [`One of ${values.join(', ')}.`]),
    ...(minimum === undefined ? [] : [`At least ${minimum}.`]),
    ...(maximum === undefined ? [] : [`At most ${maximum}.`]),
    ...(minLength === undefined ? [] : [`At least ${minLength} characters.`]),
    ...(maxLength === undefined ? [] : [`At most ${maxLength} characters.`]),
    ...(schema.default === undefined ? [] : [`Default: \`${JSON.stringify(schema.default)}\`.`]),
  ];
  return inCell([...(description === undefined ? [] : [description]), ...bounds].join(' '));
}

export function inCell(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\n\s*/g, '<br>')
    .replaceAll('|', '\\|');
}

export function lastOf(reference: string): string {
  return reference.split('/').at(-1) ?? '';
}

export function nameOf(reference: string): string {
  return lastOf(reference).replace(/Dto$/, '');
}
