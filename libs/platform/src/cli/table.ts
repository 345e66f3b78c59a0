import CliTable from 'cli-table3';
import { plainText } from '@app/contracts';
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
  return value
    .split('\n')
    .map((line) => plainText(line, '?'))
    .join('\n');
}
