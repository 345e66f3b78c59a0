import { createHash } from 'node:crypto';
import { type StaticToken, TokenFileError } from './token-file.interface';

const ROLES = ['admin', 'service', 'member', 'reader'];
const PRIVILEGED = ['admin', 'service'];
const LEAST_CHARACTERS = 20;

/**
 * Reads lines of `TOKEN NAME ROLE [PROJECT]`, with `#` before a comment.
 *
 * @throws TokenFileError that names the line, and repeats nothing of it
 */
export function parseTokens(text: string): StaticToken[] {
  const tokens: StaticToken[] = [];
  const lines = text.split('\n').map((line) => line.trim());
  lines.forEach((line, index) => {
    if (line === '' || line.startsWith('#')) return;
    const token = parseLine(line, index + 1);
    if (tokens.some(({ digest }) => digest.equals(token.digest))) {
      throw new TokenFileError(`line ${index + 1}: the token stands in an earlier line, too`);
    }
    tokens.push(token);
  });
  if (tokens.length === 0) throw new TokenFileError('it holds no token');
  return tokens;
}

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function parseLine(line: string, number: number): StaticToken {
  const [token, name, role, projectId = null, ...rest] = line.split(/\s+/);
  const wrong = (problem: string): TokenFileError => new TokenFileError(`line ${number}: ${problem}`);
  if (role === undefined || rest.length > 0) throw wrong('must be TOKEN NAME ROLE [PROJECT]');
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < LEAST_CHARACTERS) {
    throw wrong(`the token must have at least ${LEAST_CHARACTERS} printable ASCII characters`);
  }
  if (!ROLES.includes(role)) throw wrong(`the role must be one of ${ROLES.join(', ')}`);
  if (projectId === null && !PRIVILEGED.includes(role)) throw wrong(`the role ${role} needs a project`);
  return {
    digest: digestOf(token),
    identity: {
      name: `token ${name}`,
      userId: name,
      projectId,
      roles: [role],
      proven: true,
      expiresAt: null,
    },
  };
}
