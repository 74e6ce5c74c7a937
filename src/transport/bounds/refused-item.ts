import type { RecollectError } from "../../domain/errors.ts";

/** The property of an item with its error. */
const REFUSAL = Symbol("refusal");

/** An item of a list whose items are checked on their own, refused before it was decoded. */
export interface RefusedItem {
  /** The local name of the list. */
  readonly field: string;
  readonly index: number;
  readonly error: RecollectError;
}

/** Marks the refused items of a decoded message, where each is an empty message. */
export function markRefused(message: object, refused: readonly RefusedItem[]): void {
  for (const { field, index, error } of refused) {
    const item = (message as Record<string, readonly object[]>)[field]?.[index];
    if (item === undefined) throw new TypeError(`a refused item is missing: ${field}[${index}]`);
    Object.defineProperty(item, REFUSAL, { value: error });
  }
}

/** The error of an item that was refused before it was decoded; undefined for the others. */
export function refusalOf(item: object): RecollectError | undefined {
  return (item as { readonly [REFUSAL]?: RecollectError })[REFUSAL];
}
