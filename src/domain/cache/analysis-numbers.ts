import type { Token } from "./analysis-tokens.ts";
import {
  AUXILIARIES,
  CONNECTORS,
  DAYS,
  EMPTY_WORDS,
  MONTHS,
  ORDINALS,
  POWERS,
  SHORT_UNITS,
  SMALL_NUMBERS,
  UNITS,
  UNSURE_MONTHS,
} from "./analysis-words.ts";

// "this one", "which one": a pronoun. "one of": a choice. Neither is a number.
const ONE_IS_PRONOUN = new Set(
  "this that which the another any every each some no other same new old".split(" "),
);
const CLOCK = /^([0-9]{1,2}):([0-9]{2})(am|pm)?$/;
const ISO_DATE = /^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})$/;
const SLASHED_DATE = /^([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})$/;

type Reading = { readonly token: Token; readonly next: number } | undefined;

/**
 * Replaces number words, units, currencies, dates and clock times by one token each, in one pass. Two spellings
 * of one value become equal; nothing is converted (60 min stays 60 min), and a reading that is not certain
 * keeps its spelling, because a false equality here serves a wrong answer.
 */
export function readNumbers(tokens: readonly Token[]): Token[] {
  const read: Token[] = [];
  let at = 0;
  while (at < tokens.length) {
    const reading = readDate(tokens, at) ?? readClock(tokens, at) ?? readQuantity(tokens, at);
    const token = tokens[at];
    if (reading !== undefined) {
      read.push(reading.token);
      at = reading.next;
    } else {
      if (token !== undefined) read.push(token.kind === "word" ? withUnitName(token) : token);
      at++;
    }
  }
  return read;
}

function withUnitName(token: Token): Token {
  const unit = UNITS.get(token.text);
  return unit === undefined ? token : { ...token, text: unit };
}

function date(text: string, next: number): Reading {
  return { token: { kind: "date", text, unit: "", capital: false }, next };
}

function dayOfMonth(token: Token | undefined): number | undefined {
  if (token?.kind !== "number" || !["", "st", "nd", "rd", "th"].includes(token.unit)) return undefined;
  return /^[0-9]{1,2}$/.test(token.text) && Number(token.text) >= 1 && Number(token.text) <= 31
    ? Number(token.text)
    : undefined;
}

function year(token: Token | undefined): string | undefined {
  return token?.kind === "number" && token.unit === "" && /^[12][0-9]{3}$/.test(token.text)
    ? token.text
    : undefined;
}

function readDate(tokens: readonly Token[], at: number): Reading {
  const token = tokens[at];
  if (token === undefined) return undefined;
  if (token.kind === "code") return readWrittenDate(token.text, at);
  let day = dayOfMonth(token);
  let next = day === undefined ? at : at + 1;
  if (day !== undefined && tokens[next]?.text === "of") next++;
  const named = tokens[next];
  const month = named?.kind === "word" ? MONTHS.get(named.text) : undefined;
  if (month === undefined || named === undefined) return day === undefined ? readDay(tokens, at) : undefined;
  next++;
  if (day === undefined) {
    const following = tokens[next]?.text === "the" ? next + 1 : next;
    day = dayOfMonth(tokens[following]);
    if (day !== undefined) next = following + 1;
  }
  const afterPause = tokens[next]?.kind === "pause" ? next + 1 : next;
  const yearText = year(tokens[afterPause]);
  if (yearText !== undefined) next = afterPause + 1;
  // "may", "march", "mar" alone may be verbs or slips: only a capital inside a sentence or "in May" settles it.
  const before = tokens[at - 1]?.text ?? "";
  const settled =
    day !== undefined || yearText !== undefined || ["in", "next", "last", "this", "since"].includes(before);
  if (!settled && UNSURE_MONTHS.has(named.text)) return undefined;
  return date(`${yearText ?? "*"}-${month}-${day ?? "*"}`, next);
}

function readDay(tokens: readonly Token[], at: number): Reading {
  const token = tokens[at];
  const day = token?.kind === "word" ? DAYS.get(token.text) : undefined;
  return day === undefined ? undefined : date(day, at + 1);
}

function readWrittenDate(text: string, at: number): Reading {
  const iso = ISO_DATE.exec(text);
  if (iso !== null && Number(iso[2]) <= 12 && Number(iso[3]) <= 31 && Number(iso[2]) * Number(iso[3]) > 0) {
    return date(`${iso[1]}-${Number(iso[2])}-${Number(iso[3])}`, at + 1);
  }
  const slashed = SLASHED_DATE.exec(text);
  if (slashed === null) return undefined;
  const [first, second] = [Number(slashed[1]), Number(slashed[2])];
  if (first > 12 && first <= 31 && second >= 1 && second <= 12)
    return date(`${slashed[3]}-${second}-${first}`, at + 1);
  if (second > 12 && second <= 31 && first >= 1 && first <= 12)
    return date(`${slashed[3]}-${first}-${second}`, at + 1);
  // Day and month are ambiguous: as written.
  return date(text, at + 1);
}

function readClock(tokens: readonly Token[], at: number): Reading {
  const token = tokens[at];
  if (token === undefined) return undefined;
  const written = token.kind === "code" ? CLOCK.exec(token.text.toLowerCase()) : null;
  const half = tokens[at + 1]?.text;
  if (written !== null) {
    const own = written[3] ?? "";
    const suffix = own === "" && (half === "am" || half === "pm") ? half : own;
    return clock(Number(written[1]), Number(written[2]), suffix, suffix === own ? at + 1 : at + 2);
  }
  const hour = token.kind === "number" ? token.text : String(SMALL_NUMBERS.get(token.text) ?? "");
  if (!/^[0-9]{1,2}$/.test(hour)) return undefined;
  if (token.unit === "am" || token.unit === "pm") return clock(Number(hour), 0, token.unit, at + 1);
  if (token.unit === "" && (half === "am" || half === "pm" || half === "clock")) {
    // "I am" puts "am" behind pronouns only, never behind a number.
    return clock(Number(hour), 0, half === "clock" ? "" : half, at + 2);
  }
  if (token.kind === "number" || half !== "o" || tokens[at + 2]?.text !== "clock") return undefined;
  return clock(Number(hour), 0, "", at + 3);
}

function clock(hour: number, minute: number, half: string, next: number): Reading {
  if (hour > 24 || minute > 59) return undefined;
  let full = hour;
  if (half === "pm" && hour >= 1 && hour < 12) full += 12;
  if (half === "am" && hour === 12) full = 0;
  return date(`${full}:${String(minute).padStart(2, "0")}`, next);
}

function readQuantity(tokens: readonly Token[], at: number): Reading {
  const token = tokens[at];
  if (token === undefined) return undefined;
  const ordinal = ORDINALS.indexOf(token.text);
  if (token.kind === "word" && ordinal > 0 && !(token.text === "second" && isPer(tokens[at - 1]))) {
    return { token: number(`${ordinal + 1}`, "th"), next: at + 1 };
  }
  let value = "";
  let next = at;
  let suffix = "";
  if (token.kind === "number") {
    value = token.text;
    suffix = token.unit;
    next = at + 1;
  } else if (token.kind === "word") {
    const words = readNumberWords(tokens, at);
    if (words === undefined) return undefined;
    value = String(words.value);
    next = words.next;
  } else return undefined;
  if (["st", "nd", "rd", "th"].includes(suffix)) return { token: number(value, "th"), next };
  if (suffix === "k" && /^[0-9]+$/.test(value)) [value, suffix] = [shift(value, 3), ""];
  let power = POWERS.get(tokens[next]?.text ?? "");
  while (power !== undefined && /^[0-9]+(?:\.[0-9]+)?$/.test(value)) {
    value = shift(value, power);
    next++;
    power = POWERS.get(tokens[next]?.text ?? "");
  }
  if (suffix !== "") {
    const unit = SHORT_UNITS.get(suffix) ?? UNITS.get(suffix);
    return { token: number(value, unit ?? suffix), next };
  }
  const following = tokens[next];
  const unit =
    following?.kind === "word" || following?.kind === "code"
      ? (SHORT_UNITS.get(following.text.toLowerCase()) ?? UNITS.get(following.text))
      : undefined;
  if (unit !== undefined) return { token: number(value, unit), next: next + 1 };
  // "USD 5" is "5 USD": the reader of items drops the currency in front.
  return { token: number(value, ""), next };
}

function number(value: string, unit: string): Token {
  return { kind: "number", text: value, unit, capital: false };
}

function isNoun(word: string): boolean {
  return ![SMALL_NUMBERS, POWERS, UNITS, SHORT_UNITS, EMPTY_WORDS, CONNECTORS, AUXILIARIES].some((words) =>
    words.has(word),
  );
}

function isPer(token: Token | undefined): boolean {
  return token?.text === "per" || token?.text === "a" || token?.text === "each";
}

function readNumberWords(tokens: readonly Token[], at: number): { value: number; next: number } | undefined {
  const word = tokens[at];
  const first = word?.kind === "word" ? SMALL_NUMBERS.get(word.text) : undefined;
  let next = at;
  if (word?.text === "a" && POWERS.has(tokens[at + 1]?.text ?? "")) return { value: 1, next: at + 1 };
  if (first === undefined) return undefined;
  const follower = tokens[at + 1];
  if (word?.text === "one") {
    const before = tokens[at - 1]?.text ?? "";
    // "The red one" and "which one" are pronouns, "one of them" is a choice.
    const red = /^(?:the|a|an|this|that|my|your|his|her|our)$/.test(tokens[at - 2]?.text ?? "");
    // "One example" is "an example".
    const article =
      follower?.kind === "word" && isNoun(follower.text) && !/^(?:plus|times|minus)$/.test(before);
    if (ONE_IS_PRONOUN.has(before) || follower?.text === "of" || red || article) return undefined;
  }
  let total = 0;
  let current = 0;
  while (next < tokens.length) {
    const text = tokens[next]?.text ?? "";
    const small = tokens[next]?.kind === "word" ? SMALL_NUMBERS.get(text) : undefined;
    if (small !== undefined) {
      // "nineteen ninety" is two numbers, "ninety nine" one.
      const room = current % 100 === 0 ? current === 0 || current >= 100 : current % 10 === 0 && small < 10;
      if (!room) break;
      current += small;
      next++;
    } else if (text === "hundred" && current > 0 && current < 10) {
      current *= 100;
      next++;
    } else if (text === "thousand" && current > 0 && total === 0) {
      total = current * 1000;
      current = 0;
      next++;
    } else if (text === "and" && current >= 100 && current % 100 === 0) {
      const behind = tokens[next + 1]?.text ?? "";
      if (!SMALL_NUMBERS.has(behind) || POWERS.has(tokens[next + 2]?.text ?? "")) break;
      next++;
    } else break;
  }
  return { value: total + current, next };
}

/** Multiplies a decimal string by a power of ten, exactly. */
function shift(value: string, power: number): string {
  const [whole = "", fraction = ""] = value.split(".");
  if (fraction.length > power) return `${value}e${power}`;
  return (whole + fraction.padEnd(power, "0")).replace(/^0+(?=[0-9])/, "");
}
