/** Limits of one request to the provider. */
export interface BatchLimits {
  readonly maxTexts: number;
  /** Of all its texts together, in UTF-16 units; a longer text is sent in a request of its own. */
  readonly maxCharacters: number;
}

/** How many of the first texts fit into the next request: one at least, if there is one. */
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

/** Splits a refused list of two or more items into two non-empty halves. */
export function halves<T>(items: readonly T[]): readonly [readonly T[], readonly T[]] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}

/** Shorter texts are not refused for their length. */
const MIN_CHARACTERS = 256;

/**
 * The first half of a refused text, without splitting a character; undefined when it is short enough for any model. Only
 * the provider's tokenizer can tell how long a text may be; tables of models are never complete.
 */
export function shortened(text: string): string | undefined {
  if (text.length <= MIN_CHARACTERS) return undefined;
  const half = Math.max(MIN_CHARACTERS, Math.floor(text.length / 2));
  const splitsPair = /[\uD800-\uDBFF]/.test(text[half - 1] ?? "") && /[\uDC00-\uDFFF]/.test(text[half] ?? "");
  return text.slice(0, splitsPair ? half - 1 : half);
}
