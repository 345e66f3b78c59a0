import CliTable from 'cli-table3';
import { type Cell, type Facts, type Table, type View } from './view';

/** Columns without lines: it is read as well, and takes less room. */
const BARE = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
}; // prettier-ignore

/** A view as text, without a line feed at its end. */
export function render(view: View): string {
  return view.map((part) => (typeof part === 'string' ? printable(part) : renderPart(part))).join('\n\n');
}

function renderPart(part: Table | Facts): string {
  const title = part.title === undefined ? '' : `${printable(part.title)}\n`;
  if ('facts' in part) return title + draw([], part.facts);
  return title + (part.rows.length === 0 ? part.empty : draw(part.columns, part.rows));
}

function draw(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const table = new CliTable({
    head: [...head],
    chars: BARE,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  table.push(...rows.map((row) => row.map(text)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function text(cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return printable(String(cell));
}

/** What comes from a ledger or a node must not steer the terminal. */
function printable(value: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return value.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/gu, '?');
}
