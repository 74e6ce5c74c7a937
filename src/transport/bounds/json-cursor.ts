import type { RecollectError } from "../../domain/errors.ts";
import { malformed, type Path, pathText, wrongShape } from "./violations.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** A place in a JSON text. Goes over values without making them; what it lets pass may still be no JSON. */
export class JsonCursor {
  readonly bytes: Buffer;
  /** Halves of surrogate pairs can only be written as escapes: without any, no string is looked through for them. */
  readonly #hasUnicodeEscapes: boolean;
  #at = 0;
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

  /**
   * Goes over a string, and returns the bytes that it takes at the least. Throws REQUEST_MALFORMED when it holds half a
   * surrogate pair, for which there is no Unicode text.
   */
  skipString(path: Path): number {
    this.expect('"');
    const start = this.#at;
    this.#endOfString();
    this.#last = this.bytes.subarray(start, this.#at - 1);
    if (this.#last.indexOf(BACKSLASH) < 0) return this.#last.length;
    if (this.#hasUnicodeEscapes && !this.lastString().isWellFormed()) {
      throw pathText(path) === ""
        ? malformed("a name holds half a surrogate pair")
        : wrongShape(path, "Unicode text, without halves of surrogate pairs");
    }
    // Six characters of `\u0041` for one byte.
    return Math.floor(this.#last.length / 6);
  }

  /** Goes over a string and returns it. */
  string(path: Path): string {
    this.skipString(path);
    return this.lastString();
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

  /** Goes over any value; of lists and objects only brackets are matched. */
  skipValue(): void {
    let open = 0;
    do {
      this.skipSpace();
      const byte = this.bytes[this.#at];
      if (byte === undefined) throw this.#notJson();
      if (byte === QUOTE) {
        this.#at += 1;
        this.#endOfString();
      } else if (byte === 0x5b || byte === 0x7b) {
        this.#at += 1;
        open += 1;
      } else if (byte === 0x5d || byte === 0x7d) {
        if (open === 0) throw this.#notJson();
        this.#at += 1;
        open -= 1;
      } else if (open > 0 && (byte === COMMA || byte === 0x3a)) {
        this.#at += 1;
      } else {
        this.#literal();
      }
    } while (open > 0);
  }

  /** A number, true, false or null: everything up to a sign or white space. */
  #literal(): void {
    const start = this.#at;
    for (;;) {
      const byte = this.bytes[this.#at];
      if (
        byte === undefined ||
        byte <= 0x20 ||
        byte === COMMA ||
        byte === 0x5d ||
        byte === 0x7d ||
        byte === 0x3a
      )
        break;
      this.#at += 1;
    }
    if (this.#at === start) throw this.#notJson();
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
