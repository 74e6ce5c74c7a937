import { exactSearch, MetricKind } from "usearch";
import type { IntentData } from "./data.ts";

/** Its search allocates memory for each pair of a question and a stored text. */
const SEARCH_BATCH = 100;

/** Makes vectors of unit length. */
export type Embed = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** The nearest of the stored texts. */
export interface NearestText {
  /** Its index. */
  readonly place: number;
  /** Cosine similarity. */
  readonly similarity: number;
}

/** The nearest training text of a test text. */
export interface NearestIntent {
  readonly similarity: number;
  /** Whether the intents are equal. */
  readonly isRight: boolean;
}

/** The nearest training text of each test text, in order. */
export async function nearestIntents(embed: Embed, { training, test }: IntentData): Promise<NearestIntent[]> {
  const textsOf = (labelled: IntentData["test"]): string[] => labelled.map(({ text }) => text);
  const nearest = await nearestTexts(embed, textsOf(training), textsOf(test));
  return nearest.map(({ place, similarity }, index) => ({
    similarity,
    isRight: training[place]?.intent === test[index]?.intent,
  }));
}

/** The nearest stored text of each asked text, in order. */
export async function nearestTexts(
  embed: Embed,
  stored: readonly string[],
  asked: readonly string[],
): Promise<NearestText[]> {
  const vectors = await embed(stored);
  const questions = await embed(asked);
  const dimension = vectors[0]?.length ?? 0;
  const matrix = concatenated(vectors, dimension);
  const found: NearestText[] = [];
  for (let first = 0; first < questions.length; first += SEARCH_BATCH) {
    const batch = questions.slice(first, first + SEARCH_BATCH);
    const { keys } = exactSearch(matrix, concatenated(batch, dimension), dimension, 1, MetricKind.IP, 1);
    for (const [index, question] of batch.entries()) {
      const place = Number(keys[index]);
      found.push({ place, similarity: dotProduct(question, vectors[place] ?? new Float32Array()) });
    }
  }
  return found;
}

/** The cosine similarity of vectors of unit length. */
export function dotProduct(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at += 1) sum += (left[at] as number) * (right[at] as number);
  return sum;
}

function concatenated(vectors: readonly Float32Array[], dimension: number): Float32Array {
  const matrix = new Float32Array(vectors.length * dimension);
  for (const [index, vector] of vectors.entries()) matrix.set(vector, index * dimension);
  return matrix;
}
