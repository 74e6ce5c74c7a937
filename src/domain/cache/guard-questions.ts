import type { RefusingStrictness } from "./guard-strictness.ts";

/** In these questions "I" and "you" are mostly anybody. */
export const GENERIC_QUESTION = /^(?:how|what|when|where|why)/;
/** Questions that a request, a statement or each other may stand for. */
const UNSPECIFIC = new Set(["", "what", "how", "whether", "can"]);
/** Questions for an answer of another kind, although both are unspecific. */
const EXCLUSIVE = new Map<string, RefusingStrictness>([
  ["how/whether", "closed"],
  ["whether/how", "closed"],
  ["what/whether", "balanced"],
  ["whether/what", "balanced"],
]);

/**
 * Whether two questions ask the same, could ask the same ("open"), or from which strictness on they do not. When, where,
 * who, why and how much each ask for one thing.
 */
export function compareQuestions(one: string, other: string): "same" | "open" | RefusingStrictness {
  if (one === other) return "same";
  if (UNSPECIFIC.has(one) && UNSPECIFIC.has(other)) {
    return EXCLUSIVE.get(`${one}/${other}`) ?? (one === "" || other === "" ? "same" : "open");
  }
  const isPlace = (question: string): boolean => question === "how" || question === "where";
  // "My payment failed" mostly asks why.
  if ((one === "" && other === "why") || (one === "why" && other === "")) return "strict";
  return one === "" || other === "" || (isPlace(one) && isPlace(other)) ? "balanced" : "closed";
}
