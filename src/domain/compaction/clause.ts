/** What a verb says of its subject, as far as a newer statement may replace it. */
export type VerbKind =
  /** "Is", "are": with a place, a date, or another name of the subject. */
  | "be"
  /** One value at a time: a person lives at one place, prefers one thing. */
  | "single"
  /** One time at a time, such as "starts", "departs"; a place may be as well. */
  | "timed"
  /** One number at a time, and otherwise many values: "has twelve members", but "has a dog". */
  | "counted"
  /** The newer statement says what changed: "moved to", "was postponed to". */
  | "change";

/** A statement in its parts. */
export interface Clause {
  readonly subject: string;
  /** The base form; empty for "be". */
  readonly verb: string;
  readonly kind: VerbKind;
  /** What follows the verb. */
  readonly complement: string;
  /** Says by itself that something has changed: "now", "no longer", "since May". */
  readonly isMarked: boolean;
}

const VERBS = new Map<string, { readonly verb: string; readonly kind: VerbKind }>();

function define(kind: VerbKind, rows: string): void {
  for (const row of rows.trim().split("\n")) {
    const [verb = "", ...forms] = row.trim().split(" ");
    for (const form of [verb, ...forms]) VERBS.set(form, { verb, kind });
  }
}

define("be", "is are am");
for (const form of ["is", "are", "am"]) VERBS.set(form, { verb: "", kind: "be" });
define(
  "single",
  `live lives
  reside resides
  work works
  stand stands
  belong belongs
  study studies
  report reports
  prefer prefers
  drive drives
  sleep sleeps
  sit sits`,
);
define(
  "timed",
  `start starts
  begin begins
  end ends
  open opens
  close closes
  depart departs
  leave leaves
  arrive arrives
  come comes
  expire expires
  happen happens`,
);
define(
  "counted",
  `have has
  weigh weighs
  cost costs
  earn earns
  pay pays
  owe owes
  take takes
  need needs
  use uses
  contain contains
  drink drinks
  smoke smokes
  run runs
  last lasts
  hold holds
  employ employs
  require requires
  save saves
  speak speaks
  measure measures
  expect expects`,
);
const CHANGES =
  /^(?:has |have )?(?:now )?(?:been |was |were |got |is |are )?(?:now )?(?:moved|relocated|switched|changed|transferred|rescheduled|postponed|brought forward|pushed back|extended|shifted|raised|lowered|increased|reduced|cut|upgraded|downgraded|updated|renamed|promoted|gone up|gone down|went up|went down|rose|fell|dropped)\s+(?:.*?\s)?(?:to|in|for|from now on in)\s+/iu;

const CHANGE_START =
  /^(?:has|have|now|been|was|were|got|is|are|moved|relocated|switched|changed|transferred|rescheduled|postponed|brought|pushed|extended|shifted|raised|lowered|increased|reduced|cut|upgraded|downgraded|updated|renamed|promoted|gone|went|rose|fell|dropped)$/iu;

/** Takes place, and participles that leave the place or the time of a thing to what follows. */
const PARTICIPLE =
  /^(?:place|kept|stored|located|situated|based|parked|hosted|planned|scheduled|due|set|called|named|held|expected|registered|insured|employed|headquartered)\b\s*(?=\S)/iu;

const MARKS =
  /\b(?:now|nowadays|currently|no longer|any ?more|any longer|these days|at present|meanwhile|since then|from now on|again)\b/giu;
const SINCE =
  /^(?:as of|since|starting|effective|from)\s+(?:(?:last|this|next)\s+)?(?:\d{1,2}\.?\s+)?\p{L}+(?:\s+\d{1,2}(?=,))?(?:,?\s+\d{4})?\s*,?\s+/iu;
const SINCE_AT_END =
  /\s+(?:as of|since)\s+(?:\d{1,2}\.?\s+)?(?:\p{L}+\s+)?(?:\d{1,2},?\s+)?(?:19|20)\d{2}(?=[.!]?$)/iu;
const STATED =
  /^(?:as of|since|from|in|on|starting|effective)\s+(?:(\d{1,2})\.?\s+)?(?:(\p{L}{3,9})\s+)?(?:(\d{1,2}),?\s+)?((?:19|20)\d{2})\b|\s(?:as of|since)\s+(?:(\d{1,2})\.?\s+)?(?:(\p{L}{3,9})\s+)?(?:(\d{1,2}),?\s+)?((?:19|20)\d{2})[.!]?$/iu;
const INSTEAD = /(?:\s+(?:instead of|rather than|and no longer)|,\s+not)\s+[^,.;]+(?=[.!]?$)/iu;
const WORD = /[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N}'’.-]*/gu;
/** Not the subject of one statement: a condition, a list of steps, a question. */
const OTHER_FORM =
  /^(?:if|when|unless|while|should|please|remind|remember|do|does|can|could|may|might)\b|[?;]|[.!]\s+\p{Lu}/iu;

/** Drops the words that only say that something has changed, and says whether there were any. */
export function withoutMarks(text: string): { readonly text: string; readonly isMarked: boolean } {
  const plain = text
    .replace(SINCE, "")
    .replace(SINCE_AT_END, "")
    .replace(INSTEAD, "")
    .replace(/\bno longer\b/giu, "not")
    .replace(MARKS, " ")
    .replaceAll(/\s+/gu, " ")
    .replaceAll(/\s+([.,!])/gu, "$1")
    .trim();
  return { text: plain, isMarked: plain !== text.replaceAll(/\s+/gu, " ").trim() };
}

/** The parts of a statement in the present, or of one that tells a change; undefined for any other text. */
export function readClause(statement: string): Clause | undefined {
  if (OTHER_FORM.test(statement)) return undefined;
  const { text, isMarked } = withoutMarks(statement);
  for (const match of text.matchAll(WORD)) {
    if (match.index === 0) continue;
    const rest = text.slice(match.index);
    const subject = text.slice(0, match.index).trim();
    const change = CHANGE_START.test(match[0]) ? CHANGES.exec(rest)?.[0] : undefined;
    if (change !== undefined)
      return { subject, verb: "", kind: "change", complement: rest.slice(change.length), isMarked: true };
    const found = VERBS.get(match[0].toLowerCase());
    if (found === undefined) {
      // A clause with another finite verb is not understood.
      if (/^(?:was|were|had|did|will|would|should|could|might|must|shall)$/i.test(match[0])) return undefined;
      continue;
    }
    const complement = rest.slice(match[0].length).trim();
    const participle = PARTICIPLE.exec(complement)?.[0];
    if (participle === undefined) return { subject, ...found, complement, isMarked };
    const { verb } = found;
    return {
      subject,
      verb: `${verb} ${participle.trim().toLowerCase()}`.trim(),
      kind: "timed",
      complement: complement.slice(participle.length),
      isMarked,
    };
  }
  return undefined;
}

/** From when on the statement says that it holds ("as of May 2026"), milliseconds; undefined without a year. */
export function statedTime(text: string): number | undefined {
  const match = STATED.exec(text);
  if (match === null) return undefined;
  const [, dayBefore, month, dayBehind, year, endDayBefore, endMonth, endDayBehind, endYear] = match;
  const name = (month ?? endMonth ?? "").toLowerCase();
  const place = name === "" ? 0 : MONTH_NAMES.findIndex((one) => one.startsWith(name.slice(0, 3)));
  if (place < 0) return undefined;
  const day = dayBefore ?? dayBehind ?? endDayBefore ?? endDayBehind ?? "1";
  return Date.UTC(Number(year ?? endYear), place, Number(day));
}

const MONTH_NAMES =
  "january february march april may june july august september october november december".split(" ");
