import type { IntentData } from "./data.ts";

/** Makes vectors of unit length. */
export type Embed = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** The nearest training text of a test text. */
export interface NearestIntent {
  readonly similarity: number;
  /** Whether the intents are equal. */
  readonly isRight: boolean;
}

/** The nearest training text of each test text, in order. */
export async function nearestIntents(embed: Embed, { training, test }: IntentData): Promise<NearestIntent[]> {
  const vectors = await embed(training.map(({ text }) => text));
  const questions = await embed(test.map(({ text }) => text));
  return questions.map((question, index) => {
    const { place, similarity } = nearest(question, vectors);
    return { similarity, isRight: training[place]?.intent === test[index]?.intent };
  });
}

function nearest(question: Float32Array, vectors: readonly Float32Array[]) {
  let place = -1;
  let best = Number.NEGATIVE_INFINITY;
  for (const [index, vector] of vectors.entries()) {
    let similarity = 0;
    for (let at = 0; at < question.length; at += 1) {
      similarity += (question[at] as number) * (vector[at] as number);
    }
    if (similarity <= best) continue;
    best = similarity;
    place = index;
  }
  return { place, similarity: best };
}
