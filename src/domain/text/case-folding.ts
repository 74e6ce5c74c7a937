/**
 * Full case folding as the Unicode Standard defines it (section 3.13, toCasefold, without the Turkic mappings): texts that
 * differ in case alone become equal, also where one letter is several in the other case ("ß" and "SS"), at the end of a
 * Greek word ("ς" and "σ") and with a dotted capital ("İ" and "i̇"). The dotless "ı" stays a letter of its own.
 */
export function foldCase(text: string): string {
  // Lower case first: a capital such as "ẞ" has no upper case. Then upper case, which expands letters such as "ß".
  return text
    .toLowerCase()
    .split(DOTLESS_I)
    .map((part) => part.toUpperCase().toLowerCase())
    .join(DOTLESS_I)
    .replaceAll(FINAL_SIGMA, SIGMA);
}

/** Must not be upper-cased: its upper case is "I", as that of "i". */
const DOTLESS_I = "\u0131";
const FINAL_SIGMA = "\u03c2";
const SIGMA = "\u03c3";
