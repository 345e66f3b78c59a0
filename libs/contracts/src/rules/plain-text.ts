/**
 * Characters that steer a terminal, end a line of a log, or turn the order in which a text is read: C0, DEL and C1
 * (ISO/IEC 6429), the line and paragraph separators, and the bidirectional controls (Unicode, UAX #9).
 */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const STEERING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu;

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const ASCII_CONTROL = /[\u0000-\u001f\u007f]/u;

/** True for a text that no path and no source may be, not even of what an older version mounted. */
export function holdsAsciiControl(text: string): boolean {
  return ASCII_CONTROL.test(text);
}

/** True for a text that holds such a character, a line break for one. */
export function steers(text: string): boolean {
  return text.search(STEERING) >= 0;
}

/** A text of somebody else's on one line, without control characters: `instead` stands in the place of a row of them. */
export function plainText(text: string, instead = ' '): string {
  return text.replace(STEERING, instead);
}

/** What somebody else says, as it may stand in a sentence of ours: plain, cut, and in quotation marks. */
export function quoted(text: string, maxCharacters = 500): string {
  const plain = plainText(text).trim().replaceAll('"', "'");
  return `"${plain.length > maxCharacters ? `${plain.slice(0, maxCharacters)}…` : plain}"`;
}
