import type { CacheEntry } from "./entry.ts";

/** Which entry a full namespace evicts; see scoreRule. */
export type EvictionPolicy = "ADAPTIVE" | "LRU" | "LFU" | "FIFO" | "TTL";

/**
 * Names of the orders in which entries are evicted, one for each rule. A store keeps the scores of each order apart,
 * because scores of two orders do not compare.
 */
export const SCORE_ORDERS = ["lru", "lfu", "fifo", "ttl", "adaptive", "adaptive-bytes"] as const;
export type ScoreOrder = (typeof SCORE_ORDERS)[number];

/**
 * How entries are scored: factors of a sum (see keepScore), so that a script of a remote store computes the same sum. The
 * entry with the lowest score is evicted first, of equal scores the one that was used least recently.
 */
export interface ScoreRule {
  readonly order: ScoreOrder;
  /** Factors of these times, milliseconds since the epoch. */
  readonly lastUse: number;
  readonly created: number;
  readonly expires: number;
  /** Factor of the number of uses. */
  readonly uses: number;
  /** Whether worth and clock are added, and whether the worth is that of a byte. A rule with a worth has admission. */
  readonly worth: "none" | "entry" | "byte";
}

/** What a store keeps of the uses of an entry. A use is a store, a replacement or a hit. */
export interface EntryUsage {
  /** At most MAX_USES; not whole after lostAgainst. */
  readonly uses: number;
  /** Milliseconds since the epoch. */
  readonly lastUseTime: number;
  /** See answerCost. */
  readonly cost: number;
}

/** What keepScore reads of an entry. */
export interface ScoredEntry extends EntryUsage {
  readonly createTime: number;
  readonly expireTime: number;
  /** See entryBytes. */
  readonly bytes: number;
}

/** More uses count as this many: the score of lfu is exact up to here (2^53 / 2^42). */
export const MAX_USES = 2047;

/** Above every time in milliseconds until the year 2109: one use outweighs any time. */
const ABOVE_TIMES = 2 ** 42;

const NO_FACTORS = { lastUse: 0, created: 0, expires: 0, uses: 0, worth: "none" } as const;

const RULES: Readonly<Record<ScoreOrder, ScoreRule>> = {
  lru: { order: "lru", ...NO_FACTORS, lastUse: 1 },
  lfu: { order: "lfu", ...NO_FACTORS, lastUse: 1, uses: ABOVE_TIMES },
  fifo: { order: "fifo", ...NO_FACTORS, created: 1 },
  ttl: { order: "ttl", ...NO_FACTORS, expires: 1 },
  adaptive: { order: "adaptive", ...NO_FACTORS, worth: "entry" },
  "adaptive-bytes": { order: "adaptive-bytes", ...NO_FACTORS, worth: "byte" },
};

/**
 * The rule of a policy, and of a bound on bytes, with which ADAPTIVE weighs what an entry costs against its size:
 *
 * - LRU: the last use.
 * - LFU: the number of uses; of equal ones the last use.
 * - FIFO: when it was stored or replaced.
 * - TTL: when it expires.
 * - ADAPTIVE: GreedyDual-Size-Frequency (Cherkasova 1998, HPL-98-69R1) with the cost of an answer: clock + uses * cost,
 *   and with a bound on bytes clock + uses * cost / bytes. The clock is the highest score evicted so far, so that an
 *   entry that is not used any more falls behind, whatever its worth.
 */
export function scoreRule(policy: EvictionPolicy, isByteBound: boolean): ScoreRule {
  if (policy === "ADAPTIVE") return RULES[isByteBound ? "adaptive-bytes" : "adaptive"];
  return ruleOf(policy.toLowerCase() as Lowercase<typeof policy>);
}

export function ruleOf(order: ScoreOrder): ScoreRule {
  return RULES[order];
}

/** The usage after `count` uses more, the last of them at `time`. A late count does not make the last use earlier. */
export function usedAgain<Usage extends EntryUsage>(usage: Usage, count: number, time: number): Usage {
  const uses = Math.min(MAX_USES, usage.uses + count);
  return { ...usage, uses, lastUseTime: Math.max(usage.lastUseTime, time) };
}

/** The score by a rule. `clock`: of the namespace, 0 at first; see scoreRule. The order of the sums is part of it. */
export function keepScore(rule: ScoreRule, entry: ScoredEntry, clock: number): number {
  const { lastUseTime, createTime, expireTime, uses } = entry;
  const sum =
    rule.lastUse * lastUseTime + rule.created * createTime + rule.expires * expireTime + rule.uses * uses;
  return rule.worth === "none" ? sum : clock + worthOf(rule, entry);
}

/** What the entry saved so far: uses * cost, with a bound on bytes for each byte. */
export function worthOf(rule: ScoreRule, { uses, cost, bytes }: ScoredEntry): number {
  const worth = uses * cost;
  return rule.worth === "byte" ? worth / Math.max(1, bytes) : worth;
}

/**
 * Whether a full namespace admits a new entry in place of the one with the lowest score. A refusal costs the caller
 * nothing: the answer is generated already. The namespace remembers the uses of what was refused or evicted (see
 * rememberedIds), so that a prompt that comes again gains on the entry, which loses (see lostAgainst): it is admitted
 * after a few times.
 */
export function isAdmitted(rule: ScoreRule, candidate: ScoredEntry, lowest: ScoredEntry): boolean {
  return rule.worth === "none" || worthOf(rule, candidate) >= worthOf(rule, lowest);
}

/** The usage of the entry with the lowest score after it was kept in place of a new one. It is scored again by the clock. */
export function lostAgainst<Usage extends EntryUsage>(usage: Usage): Usage {
  return { ...usage, uses: usage.uses / 2 };
}

/** Of how many ids a namespace remembers the uses after they were refused, evicted or have expired; the latest ones. */
export function rememberedIds(maxEntries: number): number {
  return Math.max(64, maxEntries);
}

/** How many of `count` entries must be evicted so that `maxEntries` are left. */
export function excessEntries(count: number, maxEntries: number): number {
  return Math.max(0, count - maxEntries);
}

/**
 * US dollars of a token of a prompt, of a token of an answer, and of a second of generation. Only their ratios matter:
 * an answer's token costs four to five times a prompt's with most providers, and 50 are generated in a second.
 */
const PROMPT_TOKEN = 1e-6;
const ANSWER_TOKEN = 4e-6;
const SECOND = 50 * ANSWER_TOKEN;
const BYTES_OF_A_TOKEN = 4;
/** Bounds, so that one entry neither stays for ever nor weighs nothing. */
const MIN_COST = 1e-9;
const MAX_COST = 1000;

/**
 * What generating the answer cost, in US dollars from 1e-9 to 1,000. Of the caller's CacheUsage the first that is above 0:
 * `costUsd`; the tokens, 1 dollar a million of the prompt and 4 of the answer; `generationMs`, 0.0002 dollars a second.
 * Without any, the tokens are taken from the texts, four bytes each.
 */
export function answerCost({
  usage,
  prompt,
  response,
}: Pick<CacheEntry, "usage" | "prompt" | "response">): number {
  const tokensOf = (text: string): number => Buffer.byteLength(text) / BYTES_OF_A_TOKEN;
  const estimates = [
    usage?.costUsd,
    usage && priceOf(usage.promptTokens, usage.completionTokens),
    usage && (usage.generationMs / 1000) * SECOND,
  ];
  const cost =
    estimates.find((estimate) => estimate !== undefined && estimate > 0) ??
    priceOf(tokensOf(prompt), tokensOf(response));
  return Math.min(MAX_COST, Math.max(MIN_COST, cost));
}

function priceOf(promptTokens: number, answerTokens: number): number {
  return promptTokens * PROMPT_TOKEN + answerTokens * ANSWER_TOKEN;
}

/** For an entry of which no cost was stored: of 500 tokens of a prompt and 250 of an answer. */
export const DEFAULT_COST = 0.0015;
