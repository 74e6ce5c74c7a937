const FULL_WIDTH = /[\uFF01-\uFF5E]/g;
const VULGAR_FRACTION = /(\d?)([\u00BC-\u00BE\u2150-\u215E\u2189])/g;
const PLAIN_SUBSCRIPT = /(?<=\p{L})([\u2080-\u2089]+)(?![\p{N}(])/gu;
const ORDINAL_LETTERS = /(?<=\d)(?:ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)/g;
// Marks are adjacent to the first and last emphasised letter, with no letter or digit on their other side.
const STARS =
  /(?<![\p{L}\p{N}*_/])(\*{1,3})(?=[\p{L}\p{N}"'(])([^*\n]*[\p{L}\p{N}.,!?"')])\1(?![\p{L}\p{N}*_/])/gu;
const UNDERSCORE =
  /(?<![\p{L}\p{N}*_/])_(?=[\p{L}\p{N}"'(])([^_\n]*[\p{L}\p{N}.,!?"')])_(?![\p{L}\p{N}*_/])/gu;

/**
 * Folds typographic variants: full width, typographic quotes and dashes, invisible characters, fractions in one
 * character, and subscripts that do not follow digits (H₂O is H2O, but 10₂ is not 102). Superscripts stay.
 */
export function foldWriting(raw: string): string {
  const text = raw.normalize("NFC").replace(/\r\n?/g, "\n");
  // Most prompts are ASCII throughout.
  if (/^[\0-\x7F]*$/.test(text)) return text;
  return text
    .replace(FULL_WIDTH, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))
    .replace(/[\u2018\u2019\u02BC\u00B4\u2032]/g, "'")
    .replace(/\u2033/g, "''")
    .replace(/\u2034/g, "'''")
    .replace(/[\u201C-\u201F\u00AB\u00BB\u2039\u203A]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/\uFE0F|[\u200B-\u200D\u2060\uFEFF\u00AD\u300C-\u300F\u300A\u300B™®©ªº]/g, "")
    .replace(/[。、・]/g, " ")
    .replaceAll("…", "...")
    .replace(VULGAR_FRACTION, (_, digit: string, fraction: string) => {
      const written = fraction.normalize("NFKC").replace("\u2044", "/");
      return digit === "" ? written : `${digit} ${written}`;
    })
    .replace(ORDINAL_LETTERS, (letters) => letters.normalize("NFKC"))
    .replace(PLAIN_SUBSCRIPT, (digits) => digits.normalize("NFKC"));
}

/** Drops the stars and underscores of Markdown emphasis. `__name__` is an identifier and stays. */
export function withoutEmphasis(text: string): string {
  if (!/[*_]/.test(text)) return text;
  return text.replace(STARS, "$2").replace(UNDERSCORE, "$1");
}

// A calculation without spaces, of numbers and single letters.
const CALCULATION =
  /(?<![^\s(])[-+]?(?:\d+(?:\.\d+)?|[a-z])(?:[-+*/^=](?:\d+(?:\.\d+)?|[a-z])){1,8}(?![^\s?.,!;:)])/gi;

/** "2+2" as "2 + 2". Not "5-10" and "9/11", which may be a range and a date, and nothing in a text with code. */
export function spaceCalculations(text: string): string {
  if (!/[0-9a-z][+*^]/i.test(text) || /[`\n]/.test(text)) return text;
  return text.replace(CALCULATION, (all) =>
    /[+*^]/.test(all) ? all.replace(/(?<=.)[-+*/^=]/g, " $& ") : all,
  );
}
