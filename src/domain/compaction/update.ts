import type { PromptItem } from "../cache/analysis.ts";
import { stemWord } from "../cache/analysis-stems.ts";
import { alignItems } from "../cache/guard-align.ts";
import { areOpposite } from "../cache/guard-opposites.ts";
import type { Lexicon } from "../cache/lexicon.ts";
import { type Clause, withoutMarks } from "./clause.ts";
import { compareStatements } from "./guard.ts";
import { readStatement, type Statement, sharedStems } from "./statement.ts";

/** What a newer statement replaces in an older one about the same subject. */
export type UpdateKind =
  /** Another number of the same unit. */
  | "NUMBER"
  /** Another date, day or time. */
  | "DATE"
  /** Another name, place or state where there is one at a time. */
  | "VALUE"
  /** It denies what the older one says, or the other way round. */
  | "NEGATION";

export interface StatementUpdate {
  readonly kind: UpdateKind;
  /** The newer statement itself says that something has changed ("now", "moved to"). */
  readonly isMarked: boolean;
}

/** A denial has the words of what it denies. */
const MIN_DENIED = 0.7;

/** Most words of a value that is replaced. */
const MAX_VALUE = 3;

/** Subjects that are the name of a value: they have one at a time. */
const ATTRIBUTES =
  /\b(?:favou?rite|preferred|main|current|primary|head|lead|leader|chair|boss|manager|owner|director|president|ceo|name|surname|nickname|password|passcode|code|pin|address|email|number|phone|status|state|role|job|title|employer|landlord|tenant|doctor|dentist|teacher|plan|language|currency|size|colou?r|model|version|car|capital|location|seat|deadline|host|nationality|partner|flatmate|contact|username|branch|region|timezone|zone|theme)\b/iu;

/** States of which somebody or something is in one at a time. */
const STATES = [
  "single engaged married divorced widowed separated",
  "open closed pending resolved reopened rejected blocked done finished unfinished planned started running stopped paused",
  "active inactive suspended expired disabled enabled",
  "paid unpaid overdue refunded",
  "employed unemployed retired freelance",
  "pregnant born",
  "available unavailable booked cancelled canceled confirmed reserved",
  "public private internal",
  "broken fixed working repaired",
  "draft published archived approved signed submitted",
  "healthy sick ill recovered injured",
].map((row) => new Set(row.split(" ").map(stemWord)));

/**
 * Whether the newer statement replaces the older one: the same subject, and another value where the subject has one at a
 * time. Undefined in doubt, and for what happened: two events are no update. Which is newer is the caller's knowledge.
 */
export function findUpdate(
  older: Statement,
  newer: Statement,
  lexicon: Lexicon,
): StatementUpdate | undefined {
  const isDenied = older.analysis.negations.length !== newer.analysis.negations.length;
  const denial =
    isDenied && sharedStems(older, newer) >= MIN_DENIED ? findDenial(older, newer, lexicon) : undefined;
  if (denial !== undefined) return denial;
  const { clause: one } = older;
  const { clause: other } = newer;
  if (one === undefined || other === undefined || one.kind === "change") return undefined;
  if (!shareWord(one.subject, other.subject)) return undefined;
  if (!isSameText(one.subject, other.subject, lexicon)) return undefined;
  const kind = other.kind === "change" ? changedValue(one, other, lexicon) : otherValue(one, other, lexicon);
  return kind === undefined ? undefined : { kind, isMarked: other.isMarked };
}

function shareWord(one: string, other: string): boolean {
  const words = new Set(one.toLowerCase().match(/[\p{L}\p{N}]+/gu));
  return (other.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).some((word) => words.has(word));
}

function isSameText(one: string, other: string, lexicon: Lexicon): boolean {
  const { relation } = compareStatements(readStatement(one, lexicon), readStatement(other, lexicon), lexicon);
  return relation === "EQUAL" || relation === "SAME";
}

/** A capitalised word is a name here: it does not open a sentence. */
function readComplement(complement: string, lexicon: Lexicon): Statement {
  return readStatement(`it ${complement}`, lexicon);
}

/** The same statement, denied in one of the two. */
function findDenial(older: Statement, newer: Statement, lexicon: Lexicon): StatementUpdate | undefined {
  const { text, isMarked } = withoutMarks(newer.text);
  const [one, other] = [readStatement(withoutMarks(older.text).text, lexicon), readStatement(text, lexicon)];
  const { relation, conflicts } = compareStatements(one, other, lexicon);
  // "Does not" puts an auxiliary into the present, so that is no evidence.
  const isOnlyDenied = conflicts.includes("NEGATION") && conflicts.every((reason) => reason === "NEGATION");
  if (relation !== "DIFFERENT" || !isOnlyDenied) return undefined;
  const { left, right } = alignItems(one.analysis.items, other.analysis.items, lexicon);
  const isPast = [one, other].some(({ analysis }) => analysis.modality.includes("past"));
  if (left.length + right.length > 0 || isPast || !isPresent(older.text)) return undefined;
  return { kind: "NEGATION", isMarked };
}

/** Not an event or an order: it has a verb in the present behind its subject. */
function isPresent(text: string): boolean {
  const [, ...words] = text.match(/[\p{L}\p{M}'’]+/gu) ?? [];
  return words.some((word) => /^\p{Ll}+(?:s|n['’]t)$|^(?:are|am|have|can|do)$/u.test(word));
}

/** Another value of the same verb. */
function otherValue(one: Clause, other: Clause, lexicon: Lexicon): UpdateKind | undefined {
  if (one.kind !== other.kind || one.verb !== other.verb) return undefined;
  const [older, newer] = [readComplement(one.complement, lexicon), readComplement(other.complement, lexicon)];
  if (older.analysis.negations.length + newer.analysis.negations.length > 0) return undefined;
  if (older.analysis.quantifiers.join() !== newer.analysis.quantifiers.join()) return undefined;
  const { left, right } = alignItems(older.analysis.items, newer.analysis.items, lexicon);
  if (left.length === 0 || right.length === 0) return undefined;
  if (left.length > MAX_VALUE && !areNumbers([...left, ...right])) return undefined;
  if (right.length > MAX_VALUE && !areNumbers([...left, ...right])) return undefined;
  if (left.some(isPronoun) || right.some(isPronoun)) return undefined;
  if (areNumbers([...left, ...right])) return areOfOneUnit(left, right) ? "NUMBER" : undefined;
  if (areDates([...left, ...right])) return one.kind === "counted" ? undefined : "DATE";
  if ([...left, ...right].some(({ kind }) => kind === "number" || kind === "date")) return undefined;
  return isValueOfOne(one, older, newer, { left, right }, lexicon) ? "VALUE" : undefined;
}

interface Values {
  readonly left: readonly PromptItem[];
  readonly right: readonly PromptItem[];
}

/** Whether the subject has only one of the two values at a time. */
function isValueOfOne(
  clause: Clause,
  older: Statement,
  newer: Statement,
  { left, right }: Values,
  lexicon: Lexicon,
): boolean {
  if (clause.kind === "counted" || left.length !== right.length) return false;
  const isSibling = (word: string, otherWord: string): boolean =>
    lexicon.relation(word, otherWord) === "sibling";
  const isWhole = left.length === older.analysis.items.length && right.length === newer.analysis.items.length;
  const [first, firstOf] = [left[0], right[0]];
  const preposition = /^(?:in|at|on|under|behind|above|below|near|for|with|to|of|as)\b/iu;
  const [place, placeOf] = [
    preposition.exec(clause.complement),
    preposition.exec(newer.text.slice("it ".length)),
  ];
  const isAtPlace = place !== null && place[0].toLowerCase() === placeOf?.[0].toLowerCase();
  if (left.some(({ kind }, index) => kind !== right[index]?.kind)) return false;
  // "Prefers aisle seats", "prefers window seats", not "prefers morning flights".
  if (clause.verb === "prefer")
    return !isWhole || left.every(({ text }, index) => isSibling(text, right[index]?.text ?? ""));
  if (clause.kind === "single" || clause.kind === "timed") return isAtPlace || clause.verb === "drive";
  if (isAtPlace && /^(?:in|at|on|under|behind|above|below|near)$/i.test(place[0])) return true;
  if (isWhole && ATTRIBUTES.test(clause.subject)) return true;
  if (left.length !== 1 || first === undefined || firstOf === undefined) return false;
  // "Is open", "is closed"; "is a junior developer", "is a senior developer".
  const relation = lexicon.relation(first.text, firstOf.text);
  const isState = STATES.some((states) => states.has(first.stem) && states.has(firstOf.stem));
  return (
    isState || relation === "antonym" || areOpposite(first, firstOf) || (isWhole && relation === "sibling")
  );
}

/** "Moved to Bristol" against "lives in Leeds". */
function changedValue(one: Clause, other: Clause, lexicon: Lexicon): UpdateKind | undefined {
  const value = one.complement.replace(/^(?:in|at|on|for|to)\s+/iu, "");
  const [older, newer] = [readComplement(value, lexicon), readComplement(other.complement, lexicon)];
  const { left, right } = alignItems(older.analysis.items, newer.analysis.items, lexicon);
  if (left.length === 0 || right.length === 0 || left.length > MAX_VALUE || right.length > MAX_VALUE)
    return undefined;
  if (older.normalized === newer.normalized) return undefined;
  if (areNumbers([...left, ...right])) return areOfOneUnit(left, right) ? "NUMBER" : undefined;
  if (areDates([...left, ...right])) return "DATE";
  if ([...left, ...right].some(({ kind }) => kind === "number" || kind === "date")) return undefined;
  return one.kind === "single" || (one.kind === "be" && one.complement !== value) ? "VALUE" : undefined;
}

function isPronoun({ kind }: PromptItem): boolean {
  return kind === "pronoun";
}

/** Numbers, also of versions and telephones. */
function areNumbers(items: readonly PromptItem[]): boolean {
  return items.every(
    ({ kind, text }) => kind === "number" || (kind === "code" && /^[\p{L}]?[0-9][0-9.:/-]*$/u.test(text)),
  );
}

function areDates(items: readonly PromptItem[]): boolean {
  return items.every(
    ({ kind, text }) => kind === "date" || (kind === "number" && /^[12][0-9]{3}$/.test(text)),
  );
}

function areOfOneUnit(left: readonly PromptItem[], right: readonly PromptItem[]): boolean {
  const units = (items: readonly PromptItem[]): string =>
    items.map(({ text }) => text.split(" ").slice(1).join(" ")).join("|");
  return (
    left.length === right.length &&
    units(left) === units(right) &&
    left.some(({ text }, at) => text !== right[at]?.text)
  );
}
