import type { MemoryFilter, NumberRange, TimeRange } from "../../../domain/memory/filter.ts";
import type { MemoryState } from "../../../domain/memory/memory.ts";
import { digest } from "../../../lib/digest.ts";
import type { Argument } from "../connection/client.ts";
import { isCounted, namespaceToken, type TokenType, tokenOf } from "./tokens.ts";

/**
 * A filter as a RediSearch query (DIALECT 2). The text consists of fixed words and names of parameters; values of callers
 * are only in parameters, as digests and numbers.
 */
export interface MemoryQuery {
  readonly text: string;
  readonly params: ReadonlyMap<string, Argument>;
  /**
   * A memory that passes has a token of each of these sets, and `sizes` counts the memories of each token: the smallest
   * sum is an upper bound on the filtered set.
   */
  readonly counted: readonly (readonly string[])[];
  /** Whether the filter has no other conditions. */
  readonly isCounted: boolean;
  /**
   * Names the share of memories that pass. The times of `asOf` within a day have one name: of a namespace that changes little
   * in a day they pass nearly the same, and callers ask for what holds now with another time in each request.
   */
  readonly shareName: string;
}

const STATES = {
  ACTIVE: true,
  SUPERSEDED: true,
  ARCHIVED: true,
  QUARANTINED: true,
} as const satisfies Readonly<Record<MemoryState, true>>;

const SHARE_DIGITS = 20;
const DAY_MS = 86_400_000;

/** Whether the filter has a condition on the access time, which no index holds. */
export function asksForAccess({ lastAccessTime }: MemoryFilter): boolean {
  return lastAccessTime?.start !== undefined || lastAccessTime?.end !== undefined;
}

/**
 * The query for memories that pass the filter, except for `lastAccessTime` and the expire time. Undefined: nothing
 * passes. Every query is limited to the namespace: its id is in every token, and the query requires at least one token.
 */
export function memoryQuery(namespaceId: string, filter: MemoryFilter): MemoryQuery | undefined {
  const query = new QueryText();
  let nothing = false;
  const any = (type: TokenType, values: readonly string[]): void => {
    if (values.length === 0) nothing = true;
    else query.any(values.map((value) => tokenOf(namespaceId, type, value)));
  };
  const equal = (type: TokenType, value: string | undefined): void => {
    if (value !== undefined) any(type, [value]);
  };
  const states = [...new Set(filter.states)];
  // Every memory is in one of the states: one posting list is cheaper than the union of four.
  if (states.length === Object.keys(STATES).length) query.any([namespaceToken(namespaceId)]);
  else if (filter.asOf === undefined || !states.includes("ACTIVE")) any("state", states);
  else {
    // What ceased to be ACTIVE later counts as ACTIVE, whatever it is now.
    const now = states.map((state) => tokenOf(namespaceId, "state", state));
    query.anyOrAfter(now, namespaceToken(namespaceId), "ended", filter.asOf);
  }
  if (filter.asOf !== undefined) {
    if (!states.includes("ACTIVE")) query.notAfter("ended", filter.asOf);
    // Negated, because an absent bound passes, and because few memories are later than a time that is nearly now.
    query.notAfter("created", filter.asOf);
    query.notAfter("from", filter.asOf);
    query.after("until", filter.asOf);
  }
  equal("user", filter.userId);
  equal("agent", filter.agentId);
  equal("session", filter.sessionId);
  equal("author", filter.author);
  if (filter.kinds !== undefined) any("kind", filter.kinds);
  if (filter.tagsAny !== undefined) any("tag", filter.tagsAny);
  for (const tag of filter.tagsAll ?? []) equal("tag", tag);
  for (const scalar of filter.metadata ?? []) equal("metadata", scalar);
  equal("pinned", filter.pinned === undefined ? undefined : String(filter.pinned));
  query.between("created", fromTimes(filter.createTime));
  query.between("event", fromTimes(filter.eventTime));
  query.between("importance", filter.importance);
  if ((filter.tagsNone ?? []).length > 0) {
    query.none((filter.tagsNone ?? []).map((tag) => tokenOf(namespaceId, "tag", tag)));
  }
  return nothing || query.isEmpty ? undefined : query;
}

/** The parameters as arguments of a command. */
export function paramArguments(params: ReadonlyMap<string, Argument>): Argument[] {
  return ["PARAMS", 2 * params.size, ...[...params].flat()];
}

/** A range that includes its lower bound, and its upper bound unless `below`. */
interface Interval extends NumberRange {
  readonly below?: number;
}

function fromTimes(range: TimeRange | undefined): Interval | undefined {
  if (range === undefined) return undefined;
  return {
    ...(range.start === undefined ? {} : { min: range.start }),
    ...(range.end === undefined ? {} : { below: range.end }),
  };
}

class QueryText implements MemoryQuery {
  readonly params = new Map<string, Argument>();
  readonly counted: (readonly string[])[] = [];
  readonly #clauses: string[] = [];
  readonly #shareValues: string[] = [];
  /** An empty range. */
  isEmpty = false;

  get isCounted(): boolean {
    return this.counted.length === this.#clauses.length;
  }

  get text(): string {
    return this.#clauses.join(" ");
  }

  get shareName(): string {
    return digest(this.text, ...this.#shareValues).slice(0, SHARE_DIGITS);
  }

  any(tokens: readonly string[]): void {
    this.#clauses.push(`@tok:{${this.#names(tokens)}}`);
    if (tokens.every(isCounted)) this.counted.push(tokens);
  }

  /** One of the tokens, or the number in this field is later; every memory of the namespace has the token `all`. */
  anyOrAfter(tokens: readonly string[], all: string, field: string, time: number): void {
    const now = `@tok:{${this.#names(tokens)}}`;
    this.#clauses.push(`(${now}|(@tok:{${this.#names([all])}} @${field}:[(${this.#time(time)} +inf]))`);
    // A bound only: another clause is counted instead of this one.
    this.counted.push([all]);
  }

  /** The number in this field is not later, or absent. */
  notAfter(field: string, time: number): void {
    this.#clauses.push(`-@${field}:[(${this.#time(time)} +inf]`);
  }

  /** The number in this field is later, or absent. */
  after(field: string, time: number): void {
    this.#clauses.push(`-@${field}:[-inf ${this.#time(time)}]`);
  }

  none(tokens: readonly string[]): void {
    this.#clauses.push(`-@tok:{${this.#names(tokens)}}`);
  }

  between(field: string, interval: Interval | undefined): void {
    const { min, max, below } = interval ?? {};
    if (min === undefined && max === undefined && below === undefined) return;
    const least = min ?? Number.NEGATIVE_INFINITY;
    const most = below ?? max ?? Number.POSITIVE_INFINITY;
    if (!(least <= most) || (below !== undefined && !(least < below))) {
      this.isEmpty = true;
      return;
    }
    const upper = `${below === undefined ? "" : "("}$${this.#name(spellNumber(most))}`;
    this.#clauses.push(`@${field}:[$${this.#name(spellNumber(least))} ${upper}]`);
  }

  #names(values: readonly string[]): string {
    return values.map((value) => `$${this.#name(value)}`).join("|");
  }

  #time(time: number): string {
    return `$${this.#name(spellNumber(time), String(Math.floor(time / DAY_MS)))}`;
  }

  #name(value: string, shareValue = value): string {
    const name = `p${this.params.size}`;
    this.params.set(name, value);
    this.#shareValues.push(shareValue);
    return name;
  }
}

function spellNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+inf" : "-inf";
}
