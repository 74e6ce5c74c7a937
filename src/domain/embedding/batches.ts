/** How large one request to the provider may be. */
export interface BatchLimits {
  readonly maxTexts: number;
  /** Of all its texts together, in UTF-16 units; a text that is longer alone goes alone. */
  readonly maxCharacters: number;
}

/** How many of the texts, from the first, go into the next request: one at least, if there is one. */
export function batchLength(texts: Iterable<string>, limits: BatchLimits): number {
  let count = 0;
  let characters = 0;
  for (const text of texts) {
    characters += text.length;
    if (count > 0 && (count >= limits.maxTexts || characters > limits.maxCharacters)) break;
    count += 1;
  }
  return count;
}

/** A refused list in two, neither empty: what it is refused for is in one of them. */
export function halves<T>(items: readonly T[]): readonly [readonly T[], readonly T[]] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}

/** Nothing is shortened below this: what is refused then is not refused for its length. */
const MIN_CHARACTERS = 256;

/**
 * The first half of a text that was refused, whole characters only; undefined when it is short enough for any model.
 * How long a text may be is known to the provider alone: its tokenizer counts, and tables of models are never whole.
 */
export function shortened(text: string): string | undefined {
  if (text.length <= MIN_CHARACTERS) return undefined;
  const half = Math.max(MIN_CHARACTERS, Math.floor(text.length / 2));
  const splitsPair = /[\uD800-\uDBFF]/.test(text[half - 1] ?? "") && /[\uDC00-\uDFFF]/.test(text[half] ?? "");
  return text.slice(0, splitsPair ? half - 1 : half);
}
