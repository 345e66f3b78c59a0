import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';

/** A fenced block of a document. */
export interface Block {
  /** Path from the root of the checkout. */
  readonly document: string;
  /** Line of its first content. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

/** One command of a block; lines that end with a backslash are one with the next. */
export interface DocumentedCommand {
  /** `document:line`. */
  readonly at: string;
  readonly text: string;
  /** What the document shows as its output, in a block of `text` right after; `…` stands for anything. */
  readonly shown: string | null;
}

/** Documents whose commands people copy. Those that others build on come first. */
export function documents(): string[] {
  const first = ['README.md', 'docs/SECURITY.md', 'docs/OPERATIONS.md'];
  const others = readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .filter((name) => !first.includes(name));
  return [...first, ...others.sort(), 'libs/client/README.md'];
}

export function blocksOf(document: string): Block[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(/^( *)```(\w*)\n([^]*?)^\1```$/gm)].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length + 1,
    language: match[2],
    text: match[3],
  }));
}

/** The commands of all shell blocks of a document, in their order. */
export function commandsOf(document: string): DocumentedCommand[] {
  const blocks = blocksOf(document);
  return blocks.flatMap((block, index) => {
    if (!['sh', 'bash', 'shell', 'console'].includes(block.language)) return [];
    const commands = commandsIn(block);
    const next = blocks.at(index + 1);
    const last = commands.at(-1);
    if (last !== undefined && next?.language === 'text' && next.line === endOf(block) + 2) {
      commands.splice(-1, 1, { ...last, shown: next.text });
    }
    return commands;
  });
}

/** `dms …` and `dms-server …` that stand in the running text, in backquotes. */
export function mentionsOf(document: string): DocumentedCommand[] {
  const lines = readFileSync(join(ROOT, document), 'utf8').split('\n');
  return lines.flatMap((line, index) =>
    [...line.matchAll(/`((?:dms|dms-server) [^`]+)`/g)].map(([, text]) => ({
      at: `${document}:${index + 1}`,
      text,
      shown: null,
    })),
  );
}

/** Whether an output is what a document shows; `…` stands for anything. */
export function fits(output: string, shown: string): boolean {
  const pattern = shown
    .trim()
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^]*');
  return new RegExp(`^${pattern}$`).test(output.trim());
}

function commandsIn({ document, line, text }: Block): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  let open: { at: string; lines: string[]; until: string | null } | null = null;
  for (const [index, content] of text.split('\n').entries()) {
    if (open === null) {
      if (/^\s*(#|$)/.test(content)) continue;
      const hereDocument = /<<-?\s*['"]?(\w+)['"]?/.exec(content);
      open = { at: `${document}:${line + index}`, lines: [content], until: hereDocument?.[1] ?? null };
    } else open.lines.push(content);
    const whole = open.lines.join('\n');
    const continues =
      open.until === null ? whole.endsWith('\\') || isQuoteOpen(whole) : content.trim() !== open.until;
    if (continues) continue;
    commands.push({ at: open.at, text: whole, shown: null });
    open = null;
  }
  if (open !== null) throw new Error(`${open.at}: the command does not end`);
  return commands;
}

function endOf({ line, text }: Block): number {
  return line + text.split('\n').length - 1;
}

/** Whether a quote of the shell is open at the end; quotes in comments are not counted. */
function isQuoteOpen(text: string): boolean {
  const rest = text.replace(/\\[^]|'[^']*'|"(?:[^"\\]|\\[^])*"|(?<=\s)#[^\n]*/g, '');
  return /['"]/.test(rest);
}
