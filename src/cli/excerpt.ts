/** White space, and characters that would move a terminal's cursor, change its colours or reverse its text. */
const INVISIBLE = /[\s\p{Cc}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]+/gu;

/** Enough text to fill an excerpt even when much of it is white space. */
const READ_AHEAD = 8;

/**
 * A text on one line. Text from a server is untrusted: control characters become spaces, so that it cannot control the
 * terminal.
 */
export function toLine(text: string): string {
  return text.replaceAll(INVISIBLE, " ").trim();
}

/** A text with its line breaks; other control characters become spaces. */
export function toSafeText(text: string): string {
  return text.replaceAll(INVISIBLE, (found) => found.replaceAll(/[^\s]|[\r\v\f\u{2028}\u{2029}]/gu, " "));
}

/** The beginning of a text on one line: at most `length` characters, then an ellipsis if there is more. */
export function excerpt(text: string, length: number): string {
  const line = toLine(text.slice(0, length * READ_AHEAD));
  const characters = [...line];
  const complete = characters.length <= length && text.length <= length * READ_AHEAD;
  return complete ? line : `${characters.slice(0, length).join("").trimEnd()}…`;
}
