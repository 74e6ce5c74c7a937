import { DEFAULT_STRICTNESS } from "../../src/domain/cache/guard-strictness.ts";
import { median } from "../statistics.ts";
import {
  type Comparison,
  comparePrompts,
  isServed,
  LEVELS,
  type Level,
  refusalReasons,
} from "./cache-decision.ts";
import type { PairLabel, PromptPair } from "./cache-pairs.ts";
import type { CacheTraffic } from "./cache-traffic.ts";
import { dotProduct, type Embed, nearestTexts } from "./nearest-intent.ts";

/** 0.50 to 1.00. */
export const FINE_THRESHOLDS: readonly number[] = Array.from(
  { length: 51 },
  (_, index) => (50 + index) / 100,
);
/** Thresholds of the tables; the default of the model is added. */
const THRESHOLDS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95] as const;

/** Shares of the traps that an operator may accept, for the table by budget. */
export const TRAP_BUDGETS = [0.01, 0.02, 0.03, 0.05] as const;

export interface Served {
  readonly served: number;
  readonly total: number;
}

/** What one level serves at one threshold. */
export interface PairsServed {
  readonly level: Level;
  readonly threshold: number;
  readonly safe: Served;
  readonly traps: Served;
}

/** The pairs of one kind or one domain, at the default threshold. */
export interface GroupServed {
  readonly label: PairLabel;
  readonly name: string;
  readonly total: number;
  readonly medianSimilarity: number;
  /** Pairs served, by level. */
  readonly served: Readonly<Record<Level, number>>;
}

/** Pairs that are not served, by reason; a pair with several reasons counts for each. */
export interface Refusals {
  readonly label: PairLabel;
  readonly refused: number;
  readonly reasons: readonly { readonly reason: string; readonly pairs: number; readonly alone: number }[];
}

/** The lowest threshold, in steps of 0.01, at which a level serves no larger share of the traps. */
export interface BudgetFigures {
  readonly level: Level;
  readonly budget: number;
  /** Absent: there is none. */
  readonly found: Omit<PairsServed, "level"> | undefined;
}

export interface PairFigures {
  readonly threshold: number;
  readonly sweep: readonly PairsServed[];
  readonly budgets: readonly BudgetFigures[];
  readonly kinds: readonly GroupServed[];
  readonly domains: readonly GroupServed[];
  /** At the default threshold and strictness. */
  readonly refusals: readonly Refusals[];
}

export interface TrafficServed {
  readonly level: Level;
  readonly threshold: number;
  /** Of the questions that have an answer in the cache. */
  readonly hits: number;
  /** Of the hits. */
  readonly wrong: number;
  /** Hits of the questions that no entry answers. */
  readonly unanswerable: number;
}

export interface TrafficFigures {
  readonly name: string;
  readonly stored: number;
  readonly asked: number;
  readonly unanswerable: number;
  readonly sweep: readonly TrafficServed[];
}

export interface ComparedPair {
  readonly pair: PromptPair;
  readonly comparison: Comparison;
}

/** Compares the two prompts of each pair by the vectors of `embed`. */
export async function comparePairs(embed: Embed, pairs: readonly PromptPair[]): Promise<ComparedPair[]> {
  const stored = await embed(pairs.map((pair) => pair.stored));
  const asked = await embed(pairs.map((pair) => pair.asked));
  return pairs.map((pair, index) => {
    const [left, right] = [stored[index], asked[index]];
    if (left === undefined || right === undefined) throw new Error(`no vector for pair ${index + 1}`);
    return { pair, comparison: comparePrompts(pair.asked, pair.stored, dotProduct(left, right)) };
  });
}

/** `threshold`: the default of the model. */
export function pairFigures(compared: readonly ComparedPair[], threshold: number): PairFigures {
  const servedBy = (level: Level, one: number): PairsServed => ({
    level,
    threshold: one,
    safe: servedOf(compared, "safe", level, one),
    traps: servedOf(compared, "trap", level, one),
  });
  const fine = LEVELS.flatMap((level) => FINE_THRESHOLDS.map((one) => servedBy(level, one)));
  const budgets = LEVELS.flatMap((level) =>
    TRAP_BUDGETS.map((budget) => ({
      level,
      budget,
      found: fine.find((one) => one.level === level && one.traps.served <= budget * one.traps.total),
    })),
  );
  return {
    threshold,
    sweep: thresholdsWith(threshold).flatMap((one) => LEVELS.map((level) => servedBy(level, one))),
    budgets,
    kinds: groups(compared, ({ kind }) => kind, threshold),
    domains: groups(compared, ({ domain }) => domain, threshold),
    refusals: (["safe", "trap"] as const).map((label) => refusals(compared, label, threshold)),
  };
}

/** Looks up each asked text among the stored ones. `threshold`: the default of the model. */
export async function trafficFigures(
  embed: Embed,
  traffic: CacheTraffic,
  threshold: number,
): Promise<TrafficFigures> {
  const { name, stored, asked } = traffic;
  const texts = asked.map(({ text }) => text);
  const nearest = await nearestTexts(
    embed,
    stored.map(({ text }) => text),
    texts,
  );
  const lookups = nearest.map(({ place, similarity }, index) => {
    const answer = asked[index]?.answer;
    const comparison = comparePrompts(texts[index] ?? "", stored[place]?.text ?? "", similarity);
    return { comparison, isAnswerable: answer !== undefined, isRight: stored[place]?.answer === answer };
  });
  const answerable = lookups.filter(({ isAnswerable }) => isAnswerable);
  const others = lookups.filter(({ isAnswerable }) => !isAnswerable);
  const sweep = thresholdsWith(threshold).flatMap((one) =>
    LEVELS.map((level) => {
      const isHit = ({ comparison }: { readonly comparison: Comparison }): boolean =>
        isServed(comparison, { threshold: one, level });
      const hits = answerable.filter(isHit);
      const wrong = hits.filter(({ isRight }) => !isRight).length;
      return { level, threshold: one, hits: hits.length, wrong, unanswerable: others.filter(isHit).length };
    }),
  );
  return { name, stored: stored.length, asked: answerable.length, unanswerable: others.length, sweep };
}

function thresholdsWith(threshold: number): number[] {
  return [...new Set([...THRESHOLDS, threshold])].sort((a, b) => a - b);
}

function servedOf(
  compared: readonly ComparedPair[],
  label: PairLabel,
  level: Level,
  threshold: number,
): Served {
  const labelled = compared.filter(({ pair }) => pair.label === label);
  const served = labelled.filter(({ comparison }) => isServed(comparison, { threshold, level }));
  return { served: served.length, total: labelled.length };
}

function groups(
  compared: readonly ComparedPair[],
  nameOf: (pair: PromptPair) => string,
  threshold: number,
): GroupServed[] {
  const found = Map.groupBy(compared, ({ pair }) => `${pair.label}\t${nameOf(pair)}`);
  return [...found.values()].flatMap((members) => {
    const [first] = members;
    if (first === undefined) return [];
    const servedAt = (level: Level): number =>
      members.filter(({ comparison }) => isServed(comparison, { threshold, level })).length;
    return {
      label: first.pair.label,
      name: nameOf(first.pair),
      total: members.length,
      medianSimilarity: median(members.map(({ comparison }) => comparison.similarity)),
      served: {
        cosine: servedAt("cosine"),
        off: servedAt("off"),
        closed: servedAt("closed"),
        balanced: servedAt("balanced"),
        strict: servedAt("strict"),
      },
    };
  });
}

function refusals(compared: readonly ComparedPair[], label: PairLabel, threshold: number): Refusals {
  const lists = compared
    .filter(({ pair }) => pair.label === label)
    .map(({ comparison }) => refusalReasons(comparison, threshold, DEFAULT_STRICTNESS))
    .filter((reasons) => reasons.length > 0);
  const reasons = [...new Set(lists.flat())].map((reason) => {
    const having = lists.filter((list) => list.includes(reason));
    return { reason, pairs: having.length, alone: having.filter((list) => list.length === 1).length };
  });
  return { label, refused: lists.length, reasons: reasons.sort((a, b) => b.pairs - a.pairs) };
}
