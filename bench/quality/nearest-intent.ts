import type { IntentData } from "./data.ts";

/** Makes vectors of unit length. */
export type Embed = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** The nearest known text of a text that was asked. */
export interface NearestIntent {
  readonly similarity: number;
  /** Whether it has the intent of the text. */
  readonly isRight: boolean;
}

/** For each text that is asked, in order. */
export async function nearestIntents(embed: Embed, { known, asked }: IntentData): Promise<NearestIntent[]> {
  const vectors = await embed(known.map(({ text }) => text));
  const questions = await embed(asked.map(({ text }) => text));
  return questions.map((question, index) => {
    const { place, similarity } = nearest(question, vectors);
    return { similarity, isRight: known[place]?.intent === asked[index]?.intent };
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
