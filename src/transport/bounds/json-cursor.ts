import type { RecollectError } from "../../domain/errors.ts";
import { malformed, type Path, pathText, wrongShape } from "./violations.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Of one text. Going over a byte by itself takes some 6 ns; over a string, much less. */
const MAX_SPACE_BYTES = 4 * 1024 * 1024;
const MAX_REFUSED_BYTES = 4 * 1024 * 1024;
/** No number of ours is as long. */
const MAX_LITERAL_BYTES = 1024;

/** A place in a JSON text. Goes over values without making them; what it lets pass may still be no JSON. */
export class JsonCursor {
  readonly bytes: Buffer;
  /** Halves of surrogate pairs can only be written as escapes: without any, no string is looked through for them. */
  readonly #hasUnicodeEscapes: boolean;
  #at = 0;
  /** Bytes of white space, and of values that were refused. */
  #space = 0;
  #refused = 0;
  /** The string that was gone over last, between its quotes. */
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

  /** Returns where the next value begins. */
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

  /** Goes over the sign if it comes next. */
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

  /** Goes over the comma before the next member of a list or object (true), or over its end (false). */
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

  /** Goes over a string, and returns the bytes of UTF-8 that it takes at the least. */
  skipString(): number {
    this.expect('"');
    const start = this.#at;
    this.#endOfString();
    this.#last = this.bytes.subarray(start, this.#at - 1);
    // Six characters of `\u0041` for one byte.
    return this.#last.indexOf(BACKSLASH) < 0 ? this.#last.length : Math.floor(this.#last.length / 6);
  }

  /** Throws REQUEST_MALFORMED when the last string holds half a surrogate pair, for which there is no Unicode text. */
  expectUnicode(path: Path): void {
    if (!this.#hasUnicodeEscapes || this.lastString().isWellFormed()) return;
    throw pathText(path) === ""
      ? malformed("a name holds half a surrogate pair")
      : wrongShape(path, "Unicode text, without halves of surrogate pairs");
  }

  /** The string that was gone over last. */
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
   * Goes over a value that is refused; of lists and objects only brackets are matched. False when so much has been gone
   * over in this way that it is not worth while: it takes a tenth of a second for 16 MiB.
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
    // One plain loop: what is refused may be megabytes of the shortest values.
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

  /** Goes over a number, true, false or null: everything up to a sign or white space. */
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

  /** From behind the opening quote to behind the closing one: the first that no odd run of backslashes precedes. */
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
    return malformed(`the JSON is broken at byte ${this.#at}`);
  }
}
