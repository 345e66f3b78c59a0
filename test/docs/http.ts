import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BODY_BOUNDS, DEFAULT_NFS_OPTIONS, NFS_OPTIONS } from '@app/contracts';
import { ROOT } from '../fleet/programs';
import { HTTP_EXAMPLES } from './http-examples';
import { inCell, lastOf, meaningOf, nameOf, referencesIn, resolved, typeOf } from './http-schemas';
import { type OpenApi, type Operation, type Schema } from './open-api';

const count = (bound: keyof typeof BODY_BOUNDS): string => BODY_BOUNDS[bound].toLocaleString('en');

const INTRODUCTION = `# HTTP calls

Made from the OpenAPI document by \`npm run docs\`. Each dms-client serves that document at \`/docs/json\`, and at \`/docs\` as
a page to try things on. What the answers promise is in [SEMANTICS.md](SEMANTICS.md).

- **Who.** \`X-Auth-Token\` with a Keystone token, \`Authorization: Bearer …\`, or nothing, as \`DMS_AUTH_MODE\` says. Who may
  make a call stands with it; the levels are explained in [SEMANTICS.md](SEMANTICS.md#access).
- **Bodies** are JSON, of 1 MiB at most, and hold at most ${count('values')} values, ${count('levels')} levels of
  objects and lists, ${count('keys')} keys in an object, ${count('elements')} elements in a list and ${count('characters')}
  characters in a text. A field that is not known is ignored; one that is wrong is named.
- **Errors** have a status and a body with \`error_code\`, a code of
  [the table of errors](../libs/contracts/src/errors/error-codes.ts), \`error_msg\`, and \`details\` for each field. Beside
  those of a call there are 400 \`VALIDATION_FAILED\`, 401 \`UNAUTHENTICATED\`, 403 \`FORBIDDEN\`, 413 \`TOO_LARGE\`, 429
  \`RATE_LIMITED\`, and 503 \`OVERLOADED\` and \`LEDGER_UNAVAILABLE\`. 429 and 503 say in \`Retry-After\` when to ask again.
- **\`X-Request-Id\`** is in each answer; it may be given.

The examples want these, and are run by a test:

\`\`\`sh
DMS_API_URL=http://127.0.0.1:8090 HOST=compute-01
\`\`\`
`;

/** A route as headings name it: `POST /api/v1/mount`. */
export function routesOf({
  paths,
}: OpenApi): readonly { readonly name: string; readonly operation: Operation }[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
}

/** The line that says who may make a call. */
export function accessLine(operation: Operation): string {
  return `Who: \`${operation['x-dms-access'] ?? 'administer'}\`.`;
}

/** docs/HTTP.md, from the OpenAPI document. Calls stand in the order of their examples. */
export function httpDocument(document: OpenApi): string {
  const order = Object.keys(HTTP_EXAMPLES);
  const routes = [...routesOf(document)].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const tags = [...new Set(routes.map(({ operation }) => operation.tags?.[0] ?? 'other'))];
  const shown = new Set<string>();
  const described = new Map<string, string>();
  const chapters = tags.map((tag) => [
    `## ${tag.charAt(0).toUpperCase()}${tag.slice(1)}\n`,
    ...routes
      .filter(({ operation }) => (operation.tags?.[0] ?? 'other') === tag)
      .map(({ name, operation }) => call(name, operation, document, { shown, described })),
  ]);
  return [
    INTRODUCTION,
    ...chapters.flat(),
    '## Bodies of answers\n',
    ...schemas(document, shown),
    nfsOptions(),
  ].join('\n');
}

/** From the rule that checks them. */
function nfsOptions(): string {
  const { flags, numbers, words, withoutMeaning } = NFS_OPTIONS;
  const named = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');
  return `## NFS options

\`backup_target.nfs_mount_opts\` may hold these options of nfs(5) and mount(8), comma separated. All others are refused.
\`nosuid,nodev\` is always added.

- Alone: ${named(flags)}.
- With a whole number, \`name=7\`: ${named(numbers)}.
- With one of some values: ${Object.entries(words)
    .map(([name, values]) => `\`${name}\` (${values.join(', ')})`)
    .join(', ')}.
- Passed over, because they mean nothing for a mount: ${named(withoutMeaning)}.

Null, an empty text, or nothing but what is passed over means \`${DEFAULT_NFS_OPTIONS}\`. What these cost is in
[SEMANTICS.md](SEMANTICS.md#nfs-options).
`;
}

/** What was described already: the schemas of answers, and bodies with the call where they stand. */
interface Told {
  readonly shown: Set<string>;
  readonly described: Map<string, string>;
}

function call(name: string, operation: Operation, document: OpenApi, { shown, described }: Told): string {
  const { summary = '', description = '', parameters = [], requestBody, responses } = operation;
  const body = schemaIn(requestBody?.content);
  const prose = [summary, description].filter((text) => text !== '').join('\n\n');
  return [
    `### \`${name}\`\n`,
    `${prose}\n`,
    `${accessLine(operation)}\n`,
    ...table(
      ['parameter', 'in', 'type', 'meaning'],
      parameters.map((parameter) => [
        `\`${parameter.name}\`${parameter.required === true ? ' (required)' : ''}`,
        parameter.in,
        typeOf(parameter.schema),
        meaningOf({ description: parameter.description, ...parameter.schema }),
      ]),
    ),
    ...bodyLines(name, body, document, described),
    ...table(
      ['status', 'body', 'meaning'],
      Object.entries(responses).map(([status, answer]) => {
        const schema = schemaIn(answer.content);
        if (schema?.$ref !== undefined) shown.add(lastOf(schema.$ref));
        return [status, schema === null ? '' : typeOf(schema), inCell(answer.description)];
      }),
    ),
    example(name),
  ].join('\n');
}

function bodyLines(
  name: string,
  body: Schema | null,
  document: OpenApi,
  described: Map<string, string>,
): string[] {
  if (body === null) return [];
  const before = described.get(body.$ref ?? '');
  if (before !== undefined) return [`The body is that of \`${before}\`.\n`];
  if (body.$ref !== undefined) described.set(body.$ref, name);
  return table(['in the body', 'type', 'meaning'], fieldsOf(body, document, ''));
}

function example(name: string): string {
  const found = HTTP_EXAMPLES[name];
  if (found === undefined) throw new Error(`test/docs/http-examples.ts has no example for ${name}`);
  const method = name.split(' ')[0];
  const options = [
    ...(name === 'GET /api/v1/events' ? ['-N', '--max-time', '2'] : []),
    ...(method === 'GET' || found.body !== undefined ? [] : ['-X', method]),
  ];
  const body = found.body === undefined ? '' : ` -d '${found.body}'`;
  const words = ['curl', '-sf', ...options, `"$DMS_API_URL${found.path}"`].join(' ');
  const command = `\`\`\`sh\n${words}${body}\n\`\`\`\n`;
  if (found.answer === undefined) return command;
  const answer = readFileSync(join(ROOT, `libs/contracts/golden/${found.answer}.json`), 'utf8').trim();
  return `${command}\nAn answer:\n\n\`\`\`json\n${answer}\n\`\`\`\n`;
}

/** The schemas that answers name, and those that these name, each once. */
function schemas(document: OpenApi, names: Set<string>): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const schema = document.components.schemas[name];
    for (const inner of referencesIn(schema)) names.add(inner);
    const rows = Object.entries(schema.properties ?? {}).map(([field, of]) => [
      `\`${field}\``,
      typeOf(of),
      meaningOf(of),
    ]);
    lines.push(`### ${nameOf(name)}\n`, ...table(['field', 'type', 'meaning'], rows));
  }
  return lines;
}

/** One row for each field of a body; those of objects in it with their path. */
function fieldsOf(schema: Schema, document: OpenApi, prefix: string): string[][] {
  const whole = resolved(schema, document);
  return Object.entries(whole.properties ?? {}).flatMap(([field, of]) => {
    const name = `${prefix}${field}`;
    const required = whole.required?.includes(field) === true ? ' (required)' : '';
    const inner = resolved(of, document);
    const row = [`\`${name}\`${required}`, typeOf(of), meaningOf(of)];
    return inner.properties === undefined || Object.keys(inner.properties).length === 0
      ? [row]
      : [row, ...fieldsOf(inner, document, `${name}.`)];
  });
}

/** The description of a field, and what bounds it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line), ''];
}

function schemaIn(content: Operation['responses'][string]['content']): Schema | null {
  return Object.values(content ?? {}).at(0)?.schema ?? null;
}
