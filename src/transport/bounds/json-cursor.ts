import type { RecollectError } from "../../domain/errors.ts";
import { malformed, type Path, pathText, wrongShape } from "./violations.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Limit for one text. Skipping byte by byte takes some 6 ns a byte; skipping a string, much less. */
const MAX_SPACE_BYTES = 4 * 1024 * 1024;
const MAX_REFUSED_BYTES = 4 * 1024 * 1024;
/** Longer than any number of the API. */
const MAX_LITERAL_BYTES = 1024;

/** A position in a JSON text. Skips values without parsing them; a text that it accepts may still be invalid JSON. */
export class JsonCursor {
  readonly bytes: Buffer;
  /** Lone surrogates can only be written as escapes: without any escape, strings are not checked for them. */
  readonly #hasUnicodeEscapes: boolean;
  #at = 0;
  /** Skipped bytes: white space and refused values. */
  #space = 0;
  #refused = 0;
  /** The last skipped string, between its quotes. */
  #last: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#hasUnicodeEscapes = this.bytes.includes("\\u");
    this.#last = this.bytes.subarray(0, 0);
  }

  get at(): number {
    return this.#at;
  }

  goTo(place: number): void {
    this.#at = place;
  }

  /** Skips white space; returns the start of the next value. */
  skipSpace(): number {
    for (;;) {
      const byte = this.bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return this.#at;
      this.#at += 1;
      this.#space += 1;
      if (this.#space > MAX_SPACE_BYTES) throw malformed("the JSON has too much white space");
    }
  }

  startsWith(sign: string): boolean {
    return this.bytes[this.skipSpace()] === sign.charCodeAt(0);
  }

  /** Skips this character if it is the next one. */
  takes(sign: string): boolean {
    const there = this.startsWith(sign);
    if (there) this.#at += 1;
    return there;
  }

  expect(sign: string): void {
    if (!this.takes(sign)) throw this.#notJson();
  }

  expectEnd(): void {
    if (this.skipSpace() < this.bytes.length) throw this.#notJson();
  }

  /** Skips the comma before the next member of a list or object (true), or its end (false). */
  goesOn(end: string): boolean {
    if (this.bytes[this.skipSpace()] === COMMA) {
      this.#at += 1;
      return true;
    }
    this.expect(end);
    return false;
  }

  takesNull(): boolean {
    const there = this.startsWith("n") && this.bytes.toString("latin1", this.#at, this.#at + 4) === "null";
    if (there) this.#at += 4;
    return there;
  }

  /** Skips a string; returns a lower bound of its bytes in UTF-8. */
  skipString(): number {
    this.expect('"');
    const start = this.#at;
    this.#endOfString();
    this.#last = this.bytes.subarray(start, this.#at - 1);
    // Six characters of `\u0041` for one byte.
    return this.#last.indexOf(BACKSLASH) < 0 ? this.#last.length : Math.floor(this.#last.length / 6);
  }

  /** Throws REQUEST_MALFORMED when the last string has a lone surrogate, which is no Unicode text. */
  expectUnicode(path: Path): void {
    if (!this.#hasUnicodeEscapes || this.lastString().isWellFormed()) return;
    throw pathText(path) === ""
      ? malformed("a name contains a lone surrogate")
      : wrongShape(path, "Unicode text, without halves of surrogate pairs");
  }

  /** The last skipped string. */
  lastString(): string {
    const last = this.#last;
    if (last.indexOf(BACKSLASH) < 0) return last.toString("utf8");
    try {
      return JSON.parse(`"${last.toString("utf8")}"`) as string;
    } catch {
      throw this.#notJson();
    }
  }

  /**
   * Skips a refused value; in lists and objects it only matches brackets. False when MAX_REFUSED_BYTES are exceeded: 16 MiB
   * take a tenth of a second.
   */
  skipRefused(): boolean {
    const { bytes } = this;
    const start = this.skipSpace();
    const first = bytes[start];
    if (first === QUOTE) {
      this.skipString();
      return true;
    }
    if (first !== LIST && first !== OBJECT) {
      this.skipLiteral();
      return true;
    }
    const limit = start + MAX_REFUSED_BYTES - this.#refused;
    let at = start;
    let open = 0;
    let inString = false;
    // One plain loop, because a refused value may be megabytes of the shortest values.
    for (; at < bytes.length && at < limit; at += 1) {
      const byte = bytes[at];
      if (byte === QUOTE) inString = !inString;
      else if (inString) {
        if (byte === BACKSLASH) at += 1;
      } else if (byte === LIST || byte === OBJECT) open += 1;
      else if (byte === LIST_END || byte === OBJECT_END) {
        open -= 1;
        if (open === 0) break;
      }
    }
    if (at >= limit) return false;
    if (at >= bytes.length) throw this.#notJson();
    this.#at = at + 1;
    this.#refused += this.#at - start;
    return true;
  }

  /** Skips a number, true, false or null: everything up to punctuation or white space. */
  skipLiteral(): void {
    const start = this.skipSpace();
    for (;;) {
      const byte = this.bytes[this.#at];
      if (byte === undefined || byte <= 0x20 || byte === COMMA) break;
      if (byte === LIST_END || byte === OBJECT_END || byte === 0x3a) break;
      if (this.#at - start >= MAX_LITERAL_BYTES) break;
      this.#at += 1;
    }
    const length = this.#at - start;
    if (length === 0 || length >= MAX_LITERAL_BYTES) throw this.#notJson();
  }

  /** Skips to the end of a string: behind the first quote that is not escaped by an odd number of backslashes. */
  #endOfString(): void {
    for (;;) {
      const quote = this.bytes.indexOf(QUOTE, this.#at);
      if (quote < 0) throw this.#notJson();
      let backslashes = 0;
      while (quote - backslashes > this.#at && this.bytes[quote - backslashes - 1] === BACKSLASH)
        backslashes += 1;
      this.#at = quote + 1;
      if (backslashes % 2 === 0) return;
    }
  }

  #notJson(): RecollectError {
    return malformed(`the JSON is malformed at byte ${this.#at}`);
  }
}
