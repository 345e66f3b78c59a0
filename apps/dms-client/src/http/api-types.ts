import { type OpenAPIObject } from '@nestjs/swagger';
import { ACCESS_EXTENSION } from '../access/access.decorator';

/** Numbers that may have a fraction; all others are counts, ids and times in whole units. */
const FRACTIONS = ['hours', 'progress', 'cpu_percent', 'responseTime'];

type Node = Record<string, unknown>;

/**
 * Says of the document's types what the classes do not tell by themselves: a secret is a string that is sent and never
 * answered, numbers are whole, and what is open needs no credentials.
 */
export function withTypes(document: OpenAPIObject): OpenAPIObject {
  const { schemas = {} } = document.components ?? {};
  if ('Secret' in schemas) schemas.Secret = { type: 'string', format: 'password', writeOnly: true };
  makeWhole(document as unknown as Node, '');
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path) as Node[]) {
      if (operation[ACCESS_EXTENSION] === 'open') operation.security = [];
    }
  }
  return document;
}

/** @param name of the property or the parameter whose schema this is */
function makeWhole(node: Node, name: string): void {
  if (!FRACTIONS.includes(name)) {
    if (node.type === 'number') node.type = 'integer';
    else if (Array.isArray(node.type)) {
      node.type = node.type.map((type: unknown) => (type === 'number' ? 'integer' : type));
    }
  }
  for (const [key, value] of Object.entries(node)) {
    if (typeof value !== 'object' || value === null) continue;
    const inner = key === 'schema' && typeof node.name === 'string' ? node.name : key;
    makeWhole(value as Node, inner);
  }
}
