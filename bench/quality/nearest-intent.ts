import type { IntentData } from "./data.ts";

/** Makes vectors of unit length. */
export type Embed = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** The share of texts whose nearest known text has their intent, 0 to 1. */
export async function nearestIntentAccuracy(embed: Embed, { known, asked }: IntentData): Promise<number> {
  const vectors = await embed(known.map(({ text }) => text));
  const questions = await embed(asked.map(({ text }) => text));
  let right = 0;
  for (const [index, question] of questions.entries()) {
    if (known[nearest(question, vectors)]?.intent === asked[index]?.intent) right += 1;
  }
  return right / asked.length;
}

function nearest(question: Float32Array, vectors: readonly Float32Array[]): number {
  let best = -1;
  let bestSimilarity = Number.NEGATIVE_INFINITY;
  for (const [index, vector] of vectors.entries()) {
    let similarity = 0;
    for (let place = 0; place < question.length; place += 1) {
      similarity += (question[place] as number) * (vector[place] as number);
    }
    if (similarity <= bestSimilarity) continue;
    bestSimilarity = similarity;
    best = index;
  }
  return best;
}
