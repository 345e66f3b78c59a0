/** Where a page of operations ended: the creation time as the database writes it, to the microsecond, and the id. */
export interface OperationCursor {
  readonly createdAt: string;
  readonly id: string;
}

const TEXT = /^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{6}) ([0-9a-f-]{36})$/;

export function encodeCursor({ createdAt, id }: OperationCursor): string {
  return Buffer.from(`${createdAt} ${id}`).toString('base64url');
}

/** Null for what is no cursor. */
export function decodeCursor(text: string): OperationCursor | null {
  const match = TEXT.exec(Buffer.from(text, 'base64url').toString('latin1'));
  return match === null ? null : { createdAt: match[1], id: match[2] };
}

/** What is wrong with a cursor, or null. */
export function cursorProblem(value: unknown): string | null {
  return typeof value === 'string' && decodeCursor(value) !== null
    ? null
    : 'must be the next_cursor of the page before';
}
