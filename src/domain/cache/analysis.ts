import { createHash } from "node:crypto";
import { stemmer } from "stemmer";
import { readNumbers } from "./analysis-numbers.ts";
import { END_OF_TEXT, MAX_CHARACTERS, normalizeText, type Token, tokenize } from "./analysis-tokens.ts";
import {
  ANSWERS,
  AUXILIARIES,
  CONDITIONS,
  CONNECTORS,
  EMPTY_PHRASES,
  EMPTY_WORDS,
  ENGLISH_WORDS,
  FILLERS,
  FOREIGN_WORDS,
  IRREGULAR_PASTS,
  KNOWN_NAMES,
  MODALS,
  NEGATIONS,
  PARTICLES,
  POLITE_OPENINGS,
  PRONOUNS,
  QUANTIFIERS,
  QUESTION_WORDS,
  REQUESTS,
  SUBORDINATORS,
  SYNONYMS,
} from "./analysis-words.ts";
import { type Notation, readWritten, type Written } from "./notation.ts";
import { spaceCalculations } from "./notation-fold.ts";
import type { Writing } from "./notation-writing.ts";

/** Raised with every change of what an analysis holds: analyses of two versions cannot be compared. */
export const ANALYSIS_VERSION = 4;

/** Tokens analysed; a longer prompt is compared as a whole, so that hostile texts cost bounded work. */
export const MAX_TOKENS = 512;

/** What an item is. `foreign` is a word no English rule may touch: it is equal, or it is another word. */
export type ItemKind = "word" | "name" | "number" | "date" | "code" | "pronoun" | "foreign";

/** One thing a prompt speaks of, in the order of an active sentence. */
export interface PromptItem {
  readonly kind: ItemKind;
  /** Canonical spelling: "5 km" of "five kilometres", "2024-3-5", the person of a pronoun. */
  readonly text: string;
  /** What related forms share: the stem of a word, the value of a number without its unit. */
  readonly stem: string;
  /** The word that governs it ("from", "if", "of"), empty in the main clause. */
  readonly after: string;
  /** Position; members of one "A, B and C" share it, because their order says nothing. */
  readonly slot: number;
  /** Whether "and", "or" or the like stands right before it. */
  readonly joined: boolean;
}

/** What the guard compares: plain data, stored with a cache entry. Compare only with the same `version`. */
export interface PromptAnalysis {
  readonly version: number;
  /** Empty, or the hash of a prompt too long to be analysed, which then matches nothing but itself. */
  readonly digest: string;
  /** `other` switches every language-specific rule off: items are compared as written and in order. */
  readonly language: "en" | "other";
  readonly items: readonly PromptItem[];
  /** Up, down, on, off …: only their opposites count. */
  readonly particles: readonly string[];
  /** One entry a denial: the stem it denies, or empty where that is not certain. */
  readonly negations: readonly string[];
  readonly quantifiers: readonly string[];
  /** "can", "should", "must", "if", "past", "perfect", "present", "future"; sorted, each once. */
  readonly modality: readonly string[];
  /** The word that says what is asked ("when", "how much"), or empty. */
  readonly question: string;
  /** What is written in notation, in reading order: its spelling counts. See {@link readNotation}. */
  readonly notation: readonly Notation[];
  /** The letters and the signs of the whole. See {@link Writing}. */
  readonly writing: Writing;
}

/**
 * Extracts from a prompt all that decides whether a stored answer may serve it. Pure and total: any string gives
 * an analysis, and equal strings give equal ones. Beyond {@link MAX_TOKENS} only the hash is kept.
 */
export function analyzePrompt(prompt: string): PromptAnalysis {
  if (prompt.length > MAX_CHARACTERS) return unanalyzed(prompt);
  const text = spaceCalculations(prompt);
  const normal = normalizeText(text);
  // Compatibility forms can multiply the length of a text.
  if (normal.length > MAX_CHARACTERS) return unanalyzed(prompt);
  const tokens = tokenize(normal);
  if (tokens.length > MAX_TOKENS) return unanalyzed(prompt);
  const written = readWritten(text);
  return isEnglish(tokens) ? analyzeEnglish(tokens, written) : analyzeOther(tokens, written);
}

/** One spelling for forms no stemmer knows: British endings and irregular pasts. */
export function levelWord(word: string): string {
  const base = IRREGULAR_PASTS.get(word) ?? word;
  if (base.length < 6) return base;
  return base.replace(/is(e|es|ed|ing|ation|ations)$/, "iz$1").replace(/our(?=$|s$|ed$|ing$)/, "or");
}

/** What the forms of a word share. Coarse: the guard looks at the endings too. */
export function stemWord(word: string): string {
  const level = levelWord(word);
  return level.length < 4 ? level : stemmer(level);
}

const SYNONYM_STEMS = new Map([...SYNONYMS].map(([word, target]) => [stemWord(word), stemWord(target)]));

function unanalyzed(text: string): PromptAnalysis {
  // UTF-16 code units, so that lone surrogates differ too.
  const digest = createHash("sha256").update(Buffer.from(text, "utf16le")).digest("base64url");
  return { ...analyzeOther([], { notation: [], writing: { letters: "", marks: "" } }), digest };
}

function isEnglish(tokens: readonly Token[]): boolean {
  let english = 0;
  let foreign = 0;
  let accented = false;
  for (const { kind, text } of tokens) {
    if (kind === "foreign") foreign++;
    if (kind !== "word") continue;
    if (ENGLISH_WORDS.has(text)) english++;
    else if (FOREIGN_WORDS.has(text)) foreign++;
    if (!/^[a-z']*$/.test(text)) accented = true;
  }
  return foreign <= english && !(accented && english === 0);
}

function analyzeOther(tokens: readonly Token[], written: Written): PromptAnalysis {
  const items: PromptItem[] = [];
  for (const token of tokens) {
    if (token.kind === "pause" || token.kind === "stop") continue;
    const text = token.unit === "" ? token.text : `${token.text} ${token.unit}`;
    const kind = token.kind === "word" ? "foreign" : token.kind;
    items.push({ kind, text, stem: token.text, after: "", slot: items.length, joined: false });
  }
  return {
    version: ANALYSIS_VERSION,
    digest: "",
    language: "other",
    items,
    particles: [],
    negations: [],
    quantifiers: [],
    modality: [],
    question: "",
    ...written,
  };
}

/** Drops courtesy and filler, which change no answer. Openings only count where a sentence begins. */
function withoutCourtesy(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  let at = 0;
  while (at < tokens.length) {
    const token = tokens[at];
    if (token === undefined) break;
    const last = kept.at(-1);
    const opens = last === undefined || last.kind === "stop" || last.kind === "pause";
    const skipped =
      token.kind !== "word"
        ? 0
        : (opens ? phraseLength(tokens, at, POLITE_OPENINGS) || requestLength(tokens, at) : 0) ||
          phraseLength(tokens, at, EMPTY_PHRASES) ||
          (FILLERS.has(token.text) ? 1 : 0);
    if (skipped === 0) kept.push(token);
    at += Math.max(skipped, 1);
  }
  return kept;
}

function phraseLength(tokens: readonly Token[], at: number, phrases: readonly (readonly string[])[]): number {
  for (const phrase of phrases) {
    if (
      phrase[0] === tokens[at]?.text &&
      phrase.every((word, offset) => tokens[at + offset]?.text === word)
    ) {
      return phrase.length;
    }
  }
  return 0;
}

function requestLength(tokens: readonly Token[], at: number): number {
  const asks =
    ["can", "could", "would", "will"].includes(tokens[at]?.text ?? "") && tokens[at + 1]?.text === "you";
  return asks && ANSWERS.has(tokens[at + 2]?.text ?? "") ? 2 : 0;
}

type Draft = { -readonly [Key in keyof PromptItem]: PromptItem[Key] } & {
  at: number;
  joint: "" | "pause" | "and";
};

/** Reads tokens from left to right; what it needs to remember of the words before is its state. */
function analyzeEnglish(raw: readonly Token[], written: Written): PromptAnalysis {
  const tokens = [...withoutCourtesy(readNumbers([...raw, END_OF_TEXT])), END_OF_TEXT];
  const items: Draft[] = [];
  const particles: string[] = [];
  const negations: string[] = [];
  const quantifiers: string[] = [];
  const modality = new Set<string>();
  const capitalsTell = capitalsCarryMeaning(raw);
  let question = "";
  let after = "";
  let clause = "";
  let joint: Draft["joint"] = "";
  let openNegation = -1;
  let deniesVerb = false;
  let passive = { start: 0, be: -1, verb: -1, agent: -1 };
  let ordered = true;

  const push = (kind: ItemKind, text: string, stem: string, at: number): void => {
    items.push({ kind, text, stem, after, slot: 0, joined: joint === "and", at, joint });
    joint = "";
    if (openNegation >= 0) negations[openNegation] = kind === "pronoun" ? "" : stem;
    openNegation = -1;
  };
  const endPhrase = (at: number, whole: boolean): void => {
    if (passive.agent >= 0 && items.length > passive.agent) toActive(items, passive);
    if (whole || passive.agent >= 0)
      passive = { start: whole ? items.length : passive.start, be: -1, verb: -1, agent: -1 };
    if (whole) clause = "";
    after = clause;
    if (at < 0) openNegation = -1;
  };

  for (const [at, token] of tokens.entries()) {
    const { kind, text } = token;
    const previous = tokens[at - 1];
    const next = tokens[at + 1];
    const opens = previous === undefined || previous.kind === "stop" || previous.kind === "pause";
    if (kind === "pause" || kind === "stop") {
      endPhrase(-1, true);
      joint = kind === "pause" ? "pause" : "";
      continue;
    }
    if (kind === "number") {
      push("number", token.unit === "" ? text : `${text} ${token.unit}`, text, at);
      continue;
    }
    if (kind !== "word") {
      push(kind, text, text, at);
      continue;
    }
    const person = PRONOUNS.get(text);
    const isName = nameAt(tokens, at, capitalsTell, opens);
    if (person !== undefined && !(text === "us" && token.capital)) {
      // "How do you reset it?" asks what one does.
      const generic = person === "2" && question === "how" && AUXILIARIES.has(previous?.text ?? "");
      push("pronoun", generic ? "1" : person, generic ? "1" : person, at);
      continue;
    }
    if (text === "and" || text === "or" || text === "versus") {
      joint = "and";
      continue;
    }
    if (text === "respectively") ordered = false;
    if (text === "'s") {
      markOwner(items, at);
      continue;
    }
    // "No, that is not right" denies once.
    const exclaims = text === "no" && opens && (next?.kind !== "word" || EMPTY_WORDS.has(next.text));
    if (exclaims) continue;
    if (NEGATIONS.has(text)) {
      negations.push("");
      openNegation = negations.length - 1;
      deniesVerb = AUXILIARIES.has(previous?.text ?? "");
      continue;
    }
    if (QUESTION_WORDS.has(text)) {
      const asked = readQuestion(tokens, at, opens);
      if (asked !== "") {
        endPhrase(at, true);
        if (question === "") question = asked;
        continue;
      }
    }
    if (SUBORDINATORS.has(text)) {
      endPhrase(at, true);
      if (CONDITIONS.has(text)) modality.add("if");
      clause = text;
      after = text;
      continue;
    }
    if (AUXILIARIES.has(text)) {
      readTense(tokens, at, modality, question);
      endPhrase(at, false);
      if (/^(?:is|are|am|was|were|be|been|being)$/.test(text)) passive.be = items.length;
      continue;
    }
    if (MODALS.has(text)) {
      modality.add(MODALS.get(text) ?? "");
      continue;
    }
    // Already part of the question.
    if (previous?.text === "how" && /^(?:much|many|long|often|far|old|come)$/.test(text)) continue;
    const quantifier = QUANTIFIERS.get(text);
    if (quantifier !== undefined) {
      quantifiers.push(previous?.text === "at" ? `at ${quantifier}` : quantifier);
      continue;
    }
    if (PARTICLES.has(text)) particles.push(text);
    if (CONNECTORS.has(text)) {
      if (
        text === "to" &&
        /^(?:how|what|where|when|want|need|like|able|going|have|try|trying)$/.test(previous?.text ?? "")
      ) {
        if (previous?.text === "need" || previous?.text === "have") readObligation(tokens, at, modality);
        continue;
      }
      endPhrase(at, false);
      after = text;
      if (text === "by" && passive.verb >= 0 && items.length - passive.verb <= 3)
        passive.agent = items.length;
      continue;
    }
    if (PARTICLES.has(text) || text === "much") continue;
    // "Vitamin A" is not an article.
    if (EMPTY_WORDS.has(text) && !(text === "a" && isName)) {
      // "isn't the card …" leaves open what is denied.
      if (openNegation >= 0 && deniesVerb && text !== "any") openNegation = -1;
      continue;
    }
    if (text === "going" && next?.text === "to" && isVerbAt(tokens, at + 2)) {
      modality.add("future");
      continue;
    }
    if (text === "longer" && NEGATIONS.has(previous?.text ?? "")) continue;
    const pastForm = IRREGULAR_PASTS.has(text) || (text.length > 4 && text.endsWith("ed"));
    const subject = items.at(-1);
    const acts =
      subject?.at === at - 1 && !isName && passive.be < 0 && !AUXILIARIES.has(tokens[at - 2]?.text ?? "");
    if (pastForm && !isName) {
      if (passive.be >= 0 && passive.verb < 0) passive.verb = items.length;
      if (acts && (subject?.kind === "pronoun" || subject?.kind === "name")) modality.add("past");
    } else if (acts && (subject?.kind === "pronoun" || (subject?.kind === "name" && text.endsWith("s")))) {
      // "I order", "Bob hires"; behind "my" it is no verb, but then another word tells the tense.
      if (/^(?:i|we|you|he|she)$/.test(previous?.text ?? "") || subject.kind === "name")
        modality.add("present");
    }
    const stem = stemWord(text);
    const synonym = isName ? undefined : SYNONYM_STEMS.get(stem);
    if (isName) push("name", text, stem, at);
    else push(/^[a-z]*$/.test(text) ? "word" : "foreign", synonym ?? levelWord(text), synonym ?? stem, at);
  }
  if (ordered) assignSlots(items);
  else for (const [index, item] of items.entries()) [item.slot, item.joined] = [index, false];
  return {
    version: ANALYSIS_VERSION,
    digest: "",
    language: "en",
    items: items.map(({ kind, text, stem, after: governor, slot, joined }) => ({
      kind,
      text,
      stem,
      after: governor,
      slot,
      joined,
    })),
    particles: particles.sort(),
    negations: negations.sort(),
    quantifiers: quantifiers.sort(),
    modality: [...modality].sort(),
    question,
    ...written,
  };
}

/** Whether what follows "going to" may be a verb, not a place. */
function isVerbAt(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at];
  return (
    token?.kind === "word" && !token.capital && !EMPTY_WORDS.has(token.text) && !PRONOUNS.has(token.text)
  );
}

/** Capitals say "name" only in a text that does not put them on every word, or on small words as titles do. */
function capitalsCarryMeaning(tokens: readonly Token[]): boolean {
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

function nameAt(tokens: readonly Token[], at: number, capitalsTell: boolean, opens: boolean): boolean {
  const token = tokens[at];
  if (token === undefined || token.kind !== "word") return false;
  if (KNOWN_NAMES.has(token.text)) return true;
  if (!token.capital || !capitalsTell) return false;
  // At the start of a sentence everybody has a capital: only "Marie Curie …" is clearly a name there.
  const next = tokens[at + 1];
  return (
    !opens || (next?.kind === "word" && next.capital && !PRONOUNS.has(next.text) && !REQUESTS.has(token.text))
  );
}

/** "France's capital": the owner stands where "of France" would. */
function markOwner(items: readonly Draft[], at: number): void {
  let position = at - 1;
  for (let index = items.length - 1; index >= 0; index--, position--) {
    const item = items[index];
    if (item === undefined || item.at !== position || (item.kind !== "name" && position !== at - 1)) return;
    item.after = "of";
  }
}

function readQuestion(tokens: readonly Token[], at: number, opens: boolean): string {
  const text = tokens[at]?.text ?? "";
  const next = tokens[at + 1]?.text ?? "";
  if (text === "how") {
    if (next === "much" || next === "many") return "how much";
    if (next === "long" || next === "often" || next === "far" || next === "old") return `how ${next}`;
    return next === "come" ? "why" : "how";
  }
  if (text === "what" && (next === "time" || next === "date")) return "when";
  if (text === "why" || text === "what" || text === "which") return text === "which" ? "what" : text;
  const relative =
    !opens && !AUXILIARIES.has(next) && next !== "to" && !REQUESTS.has(tokens[at - 1]?.text ?? "");
  // "When I travel, …" is a condition, "when do I travel" a question.
  const condition = text === "when" && !AUXILIARIES.has(next) && next !== "to";
  if (relative || condition) return "";
  return text === "whom" || text === "whose" ? "who" : text;
}

function readTense(tokens: readonly Token[], at: number, modality: Set<string>, question: string): void {
  const text = tokens[at]?.text ?? "";
  const modal = MODALS.get(text);
  // "How can I" and "how should I" ask no more than "how do I".
  const open = question !== "" && (modal === "can" || /^(?:how|what|where)$/.test(question));
  if (modal !== undefined && !open) modality.add(modal);
  if (text === "will" || text === "shall") modality.add("future");
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
function readObligation(tokens: readonly Token[], at: number, modality: Set<string>): void {
  const auxiliary = tokens[at - 3]?.text ?? "";
  if (/^(?:do|does|did)$/.test(auxiliary)) modality.add("must");
}

/** Puts "the cat was fed by Ann" into the order of "Ann fed the cat". */
function toActive(items: Draft[], at: { start: number; be: number; verb: number; agent: number }): void {
  const first = items[at.agent];
  const agentsAct =
    first !== undefined && (first.kind === "word" || first.kind === "name" || first.kind === "pronoun");
  if (!agentsAct || first.text.endsWith("ing")) return;
  const split = at.be > at.start ? at.be : at.verb;
  const from = at.be > at.start ? at.start : Math.max(at.be, at.start);
  const subject = items.slice(from, split);
  const verb = items.slice(split, at.agent);
  const agent = items.slice(at.agent);
  for (const item of agent) if (item.after === "by") item.after = verb[0]?.after ?? "";
  items.splice(from, items.length - from, ...agent, ...verb, ...subject);
}

/** Numbers the items; the members of a list of single words share a number. */
function assignSlots(items: readonly Draft[]): void {
  for (const [index, item] of items.entries()) item.slot = index;
  for (let right = 1; right < items.length; right++) {
    if (items[right]?.joint !== "and") continue;
    let left = right - 1;
    while (left > 0 && items[left]?.joint === "pause" && isNeighbour(items, left)) left--;
    // "Tom called Ann and Bob called Sue" joins two clauses, not Ann and Bob: one end of a list must be free.
    const leftFree = items[left - 1]?.at !== (items[left]?.at ?? 0) - 1;
    const rightFree = items[right + 1]?.at !== (items[right]?.at ?? 0) + 1;
    if (!isNeighbour(items, right) || !(leftFree || rightFree)) continue;
    for (let member = left + 1; member <= right; member++) {
      const item = items[member];
      // Under "from A and B" both are governed alike.
      if (item !== undefined) [item.slot, item.after] = [items[left]?.slot ?? 0, items[left]?.after ?? ""];
    }
  }
}

function isNeighbour(items: readonly Draft[], index: number): boolean {
  return (items[index]?.at ?? 0) - (items[index - 1]?.at ?? 0) <= 3;
}
