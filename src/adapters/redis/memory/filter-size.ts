import type { FilteredSize } from "../../../domain/memory/search-plan.ts";
import { digest } from "../../../lib/digest.ts";
import type { Command, Reply } from "../connection/client.ts";
import { listOf, numberOf } from "../connection/replies.ts";
import type { NamespaceKeys } from "../namespaces/keys.ts";
import { countCommand, readTotal } from "./commands.ts";
import type { SeenNumbers } from "./counter-cache.ts";
import type { MemoryQuery } from "./query.ts";
import { namespaceToken } from "./tokens.ts";

/**
 * How many memories pass a filter, as far as this process has seen: what plans go by. The smallest of the sizes of what
 * must hold bounds it; how much of the bound passes is counted once, and kept as a share because both grow.
 */
export class FilterSize {
  readonly #namespace: NamespaceKeys;
  readonly #filter: MemoryQuery;
  readonly #seen: SeenNumbers;
  /** Under what is kept how much of the bound passes. */
  readonly #shareName: string;
  /** What the sizes are asked of. */
  readonly tokens: readonly string[];

  constructor(namespace: NamespaceKeys, filter: MemoryQuery, seen: SeenNumbers) {
    this.#namespace = namespace;
    this.#filter = filter;
    this.#seen = seen;
    this.#shareName = digest(filter.text, ...[...filter.params.values()].map(String)).slice(0, 20);
    this.tokens = [namespaceToken(namespace.number), ...filter.counted.flat()];
  }

  /** How many memories the namespace holds; undefined: `ask` first. */
  get stored(): number | undefined {
    return this.#seen.get(this.#namespace.number, namespaceToken(this.#namespace.number));
  }

  /** By the sizes that were seen; undefined: none was. */
  get bound(): number | undefined {
    const known = this.#sizes.filter((size) => size !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** Undefined: `ask` first. */
  get eligible(): number | undefined {
    const { bound } = this;
    const share = this.#share;
    if (bound === 0) return 0;
    if (bound === undefined || share === undefined || this.#sizes.includes(undefined)) return undefined;
    return bound * share;
  }

  /** The best that is known; undefined: nothing is. */
  get known(): FilteredSize | undefined {
    const { bound, eligible } = this;
    if (bound === undefined) return undefined;
    if (eligible === undefined) return { count: bound, basis: "UPPER_BOUND" };
    if (this.#seenShare !== undefined) return { count: Math.round(eligible), basis: "ESTIMATED" };
    return { count: eligible, basis: this.#filter.counted.length === 1 ? "COUNTED" : "UPPER_BOUND" };
  }

  /** Of each thing that must hold. */
  get #sizes(): (number | undefined)[] {
    const { number } = this.#namespace;
    return this.#filter.counted.map((tokens) => {
      const sizes = tokens.map((token) => this.#seen.get(number, token) ?? Number.NaN);
      const sum = sizes.reduce((total, size) => total + size, 0);
      return Number.isNaN(sum) ? undefined : sum;
    });
  }

  /** Asks for all that `eligible` goes by. */
  ask(index: string): Command[] {
    return [["HMGET", this.#namespace.sizes, ...this.tokens], ...this.askCount(index)];
  }

  read([sizes, count]: readonly Reply[]): void {
    this.readSizes(listOf(sizes).map(numberOf));
    this.readCount(count);
  }

  /** The same without the sizes. What passes is counted where that was not done yet: in proportion to its number. */
  askCount(index: string): Command[] {
    return this.#share === undefined ? [countCommand(index, this.#filter)] : [];
  }

  readCount(reply: Reply | undefined): void {
    if (reply !== undefined) this.seeCount(readTotal(reply));
  }

  /** Of the tokens, in their order. */
  readSizes(sizes: readonly number[]): void {
    for (const [at, token] of this.tokens.entries()) {
      this.#seen.set(this.#namespace.number, token, sizes[at] ?? 0);
    }
  }

  /** So many pass, by what was just seen. */
  seeCount(count: number): void {
    const bound = this.bound ?? 0;
    // A share of nothing says nothing of what will be there.
    if (bound > 0) this.#seen.set(this.#namespace.number, this.#shareName, count / bound);
  }

  /** The share was found to be another. */
  forgetCount(): void {
    this.#seen.forget(this.#namespace.number, this.#shareName);
  }

  /** How much of the bound passes. */
  get #share(): number | undefined {
    return this.#seenShare ?? (this.#filter.isCounted ? 1 : undefined);
  }

  get #seenShare(): number | undefined {
    return this.#seen.get(this.#namespace.number, this.#shareName);
  }
}
