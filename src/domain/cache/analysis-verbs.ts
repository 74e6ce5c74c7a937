import type { Token } from "./analysis-tokens.ts";
import {
  AUXILIARIES,
  CONNECTORS,
  EMPTY_WORDS,
  IRREGULAR_PASTS,
  KNOWN_NAMES,
  MODALS,
  PRONOUNS,
  REQUESTS,
} from "./analysis-words.ts";

/** Whether what follows "going to" may be a verb, not a place. */
export function isVerbAt(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at];
  return (
    token?.kind === "word" && !token.capital && !EMPTY_WORDS.has(token.text) && !PRONOUNS.has(token.text)
  );
}

/** Whether a word looks like a past form or a past participle. */
export function isPastForm(word: string): boolean {
  return IRREGULAR_PASTS.has(word) || (word.length > 3 && /[^e]ed$/.test(word));
}

/** Whether a word that carries meaning of its own follows. */
export function isContentWord(token: Token | undefined): boolean {
  return (
    token?.kind === "word" &&
    ![EMPTY_WORDS, PRONOUNS, AUXILIARIES, CONNECTORS].some((words) => words.has(token.text)) &&
    token.text !== "and" &&
    token.text !== "or"
  );
}

/** Capitals say "name" only in a text that does not put them on every word, or on small words as titles do. */
export function capitalsCarryMeaning(tokens: readonly Token[]): boolean {
  let capitals = 0;
  let lower = 0;
  let longLower = 0;
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== "word" || at === 0 || token.text === "i" || token.text === "a") continue;
    if (token.capital) capitals++;
    else lower++;
    if (!token.capital && token.text.length > 3) longLower++;
    const opens = tokens[at - 1]?.kind === "stop" || tokens[at - 1]?.kind === "pause";
    if (token.capital && !opens && (EMPTY_WORDS.has(token.text) || CONNECTORS.has(token.text))) return false;
  }
  return capitals < 2 || (lower > 0 && (capitals <= 3 || longLower * 3 >= capitals));
}

export function nameAt(tokens: readonly Token[], at: number, capitalsTell: boolean, opens: boolean): boolean {
  const token = tokens[at];
  if (token === undefined || token.kind !== "word") return false;
  if (KNOWN_NAMES.has(token.text)) return true;
  if (!token.capital || !capitalsTell) return false;
  // Every word at the start of a sentence is capitalised: only "Marie Curie …" is clearly a name there.
  const next = tokens[at + 1];
  return (
    !opens || (next?.kind === "word" && next.capital && !PRONOUNS.has(next.text) && !REQUESTS.has(token.text))
  );
}

/** What "how" with an adjective asks for. */
export const HOW_MUCH: ReadonlyMap<string, string> = new Map([
  ["much", "how much"],
  ["many", "how much"],
  ["expensive", "how much"],
  ["big", "how big"],
  ["large", "how big"],
  ["fast", "how fast"],
  ["quickly", "how fast"],
  ...["long", "often", "far", "old", "tall", "heavy", "deep", "wide"].map(
    (word) => [word, `how ${word}`] as const,
  ),
]);

/** What a sentence asks that begins with an auxiliary. */
export function readOpening(text: string, next: string): string {
  // "Are there any limits" asks for the limits.
  if (next === "there") return "";
  return /^(?:can|could|may|might)$/.test(text) ? "can" : "whether";
}

export function readQuestion(tokens: readonly Token[], at: number, opens: boolean): string {
  const text = tokens[at]?.text ?? "";
  const next = tokens[at + 1]?.text ?? "";
  if (text === "how") {
    return HOW_MUCH.get(next) ?? (next === "come" ? "why" : "how");
  }
  if (text === "what" && (next === "time" || next === "date")) return "when";
  if (text === "why" || text === "what" || text === "which") return text === "which" ? "what" : text;
  // "… by whom?"
  if (next === "." && !opens) return text === "whom" || text === "whose" ? "who" : text;
  const relative =
    !opens && !AUXILIARIES.has(next) && next !== "to" && !REQUESTS.has(tokens[at - 1]?.text ?? "");
  // "When I travel, …" is a condition, "when do I travel" a question.
  const condition = text === "when" && !AUXILIARIES.has(next) && next !== "to";
  if (relative || condition) return "";
  return text === "whom" || text === "whose" ? "who" : text;
}

export function readTense(
  tokens: readonly Token[],
  at: number,
  modality: Set<string>,
  question: string,
): void {
  const text = tokens[at]?.text ?? "";
  const modal = MODALS.get(text);
  // "How can I" and "how should I" ask no more than "how do I"; "what must I" asks more.
  const open =
    question !== "" && (modal === "can" || (modal === "should" && !/^(?:whether|can)$/.test(question)));
  if (modal !== undefined && !open) modality.add(modal);
  if (modal !== undefined) modality.add("present");
  if (text === "will" || text === "shall") {
    // "It won't start" says what it does not do now, and "how long will it take" asks what it takes.
    const present = tokens[at + 1]?.text === "not" || !/^(?:|whether|can)$/.test(question);
    modality.add(present ? "present" : "future");
  }
  if (/^(?:do|does|is|are|am)$/.test(text)) modality.add("present");
  if (text === "did" || text === "was" || text === "were" || text === "had") modality.add("past");
  if (text !== "have" && text !== "has") return;
  for (let ahead = at + 1; ahead <= at + 3; ahead++) {
    const word = tokens[ahead];
    if (word?.kind !== "word") return;
    if (word.text === "been" || IRREGULAR_PASTS.has(word.text) || /..ed$/.test(word.text)) {
      modality.add("perfect");
      return;
    }
  }
}

/** "Do I have to", "do I need to": must. In a statement ("I need to …") it is only a wish. */
export function readObligation(
  tokens: readonly Token[],
  at: number,
  modality: Set<string>,
  question: string,
): void {
  const auxiliary = tokens[at - 3]?.text ?? "";
  // "What do I need to travel" asks for a thing.
  if (tokens[at - 1]?.text === "need" && question === "what") return;
  if (/^(?:do|does|did)$/.test(auxiliary)) modality.add("must");
}
