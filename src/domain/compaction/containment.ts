/** A text in two parts: a statement, and an addition behind it. */
export interface Split {
  readonly head: string;
  readonly tail: string;
}

/** Most places at which a text is split; a text of more sentences is a document, not a statement with an addition. */
const MAX_SPLITS = 6;

// Where an addition begins. "With", "for" and "in" mostly restrict: "likes coffee with milk" is not "likes coffee".
const JOINT = /\s*[,;(]\s*|[.!]\s+|\s+(?=(?:and|because|since|which|who|where|so|by|as an?)\s)/gu;

/**
 * What makes an addition more than one: it takes back, limits or dates what is before it, or it goes on with the number or
 * the name before it ("50 euros and 20 cents", "Paris, Texas").
 */
const RESTRICTION =
  /\b(?:not|no|never|none|nobody|nothing|neither|nor|without|only|just|except|unless|if|whether|but|until|till|when|whenever|while|during|before|after|instead|rather|otherwise|former|formerly|previously|once|sometimes|almost|nearly|half|part|partly|maybe|perhaps|probably|possibly|might|may|could|should|would|will|was|were|had|used|anymore|longer)\b|n['’]t\b/iu;

/** The ways to read a text as a statement with an addition, the longest statement last. */
export function splitTails(text: string): readonly Split[] {
  const splits: Split[] = [];
  for (const { index, 0: joint } of text.matchAll(JOINT)) {
    const [head, tail] = [text.slice(0, index).trim(), text.slice(index + joint.length).trim()];
    if (head !== "" && tail !== "") splits.push({ head, tail });
    if (splits.length === MAX_SPLITS) break;
  }
  return splits;
}

/** Whether an addition changes the meaning of what is before it. In doubt it does. */
export function isRestricting(tail: string): boolean {
  const words = tail.match(/[\p{L}\p{M}\p{N}'’.-]+/gu) ?? [];
  const lower = words.filter((word) => /^\p{Ll}/u.test(word) && !/^(?:and|or|as|a|an|the)$/.test(word));
  const [first = ""] = words.filter((word) => word !== "and");
  return RESTRICTION.test(tail) || lower.length === 0 || words.length < 2 || /^\p{N}/u.test(first);
}
