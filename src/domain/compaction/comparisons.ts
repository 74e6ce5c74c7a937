import type { Lexicon } from "../cache/lexicon.ts";
import { compareStatements, type StatementComparison } from "./guard.ts";
import { readStatement, type Statement } from "./statement.ts";
import { findUpdate, type StatementUpdate } from "./update.ts";

/** A statement that was read takes some 10 KB: beyond so many they are forgotten and read again when needed. */
const MAX_STATEMENTS = 20_000;
const MAX_COMPARED = 50_000;

/** Compares texts, each pair once, and reads each text once, while there are not too many. */
export class Comparisons {
  readonly #lexicon: Lexicon;
  readonly #statements = new Map<string, Statement>();
  readonly #compared = new Map<string, StatementComparison>();
  readonly #updates = new Map<string, StatementUpdate | undefined>();

  constructor(lexicon: Lexicon) {
    this.#lexicon = lexicon;
  }

  compare(left: string, right: string): StatementComparison {
    const key = pairOf(left, right);
    const known = this.#compared.get(key);
    if (known !== undefined) return known;
    const found = compareStatements(this.#read(left), this.#read(right), this.#lexicon);
    if (this.#compared.size >= MAX_COMPARED) this.#compared.clear();
    this.#compared.set(key, found);
    return found;
  }

  /** See {@link findUpdate}. */
  update(older: string, newer: string): StatementUpdate | undefined {
    const key = pairOf(older, newer);
    if (this.#updates.has(key)) return this.#updates.get(key);
    const found = findUpdate(this.#read(older), this.#read(newer), this.#lexicon);
    if (this.#updates.size >= MAX_COMPARED) this.#updates.clear();
    this.#updates.set(key, found);
    return found;
  }

  /** Whether the text tells an event: another time is another event. */
  happened(text: string): boolean {
    return this.#read(text).tellsEvent;
  }

  #read(text: string): Statement {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const read = readStatement(text, this.#lexicon);
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear();
    this.#statements.set(text, read);
    return read;
  }
}

function pairOf(one: string, other: string): string {
  return `${one.length} ${one}${other}`;
}
