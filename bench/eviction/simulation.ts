import {
  type EvictionPolicy,
  isAdmitted,
  keepScore,
  lostAgainst,
  rememberedIds,
  type ScoredEntry,
  scoreRule,
  usedAgain,
} from "../../src/domain/cache/eviction.ts";
import { Outcome } from "./outcome.ts";
import type { Trace } from "./trace.ts";

/** An answer lives longer than the trace. */
const LIFE = 1e9;

interface Kept {
  readonly key: number;
  entry: ScoredEntry;
  score: number;
  place: number;
}

/** Replays a trace over the functions of src/domain/cache/eviction.ts, without a store; one lookup a millisecond. */
export function simulate({ lookups, costs }: Trace, policy: EvictionPolicy, maxEntries: number): Outcome {
  const rule = scoreRule(policy, false);
  const outcome = new Outcome();
  const kept = new Map<number, Kept>();
  const order = new Heap();
  const remembered = new Map<number, number>();
  let clock = 0;
  const remember = (key: number, uses: number): void => {
    remembered.delete(key);
    remembered.set(key, uses);
    const [oldest] = remembered.keys();
    if (remembered.size > rememberedIds(maxEntries) && oldest !== undefined) remembered.delete(oldest);
  };
  for (let now = 0; now < lookups.length; now += 1) {
    const key = lookups[now] ?? 0;
    const cost = costs[key] ?? 0;
    const found = kept.get(key);
    if (found !== undefined) {
      outcome.hit(cost);
      found.entry = usedAgain(found.entry, 1, now);
      order.rescore(found, keepScore(rule, found.entry, clock));
      continue;
    }
    outcome.miss(cost);
    const usage = { uses: remembered.get(key) ?? 0, lastUseTime: 0, cost };
    const entry = usedAgain({ ...usage, createTime: now, expireTime: now + LIFE, bytes: 1 }, 1, now);
    const lowest = order.lowest;
    if (lowest !== undefined && kept.size >= maxEntries) {
      if (rule.worth !== "none") clock = Math.max(clock, lowest.score);
      if (!isAdmitted(rule, entry, lowest.entry)) {
        outcome.refused += 1;
        remember(key, entry.uses);
        lowest.entry = lostAgainst(lowest.entry);
        order.rescore(lowest, keepScore(rule, lowest.entry, clock));
        continue;
      }
      outcome.evicted += 1;
      order.remove(lowest);
      kept.delete(lowest.key);
      if (rule.worth !== "none") remember(lowest.key, lowest.entry.uses);
    }
    remembered.delete(key);
    const added = { key, entry, score: keepScore(rule, entry, clock), place: 0 };
    kept.set(key, added);
    order.add(added);
  }
  return outcome;
}

/** A binary heap, the lowest score first, of equal ones the earliest last use. */
class Heap {
  readonly #items: Kept[] = [];

  get lowest(): Kept | undefined {
    return this.#items[0];
  }

  add(item: Kept): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#up(item);
  }

  rescore(item: Kept, score: number): void {
    item.score = score;
    this.#up(item);
    this.#down(item);
  }

  remove(item: Kept): void {
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#put(last, item.place);
    this.#up(last);
    this.#down(last);
  }

  #put(item: Kept, place: number): void {
    item.place = place;
    this.#items[place] = item;
  }

  #up(item: Kept): void {
    for (;;) {
      const above = this.#items[(item.place - 1) >> 1];
      if (item.place === 0 || above === undefined || !isBefore(item, above)) return;
      this.#exchange(item, above);
    }
  }

  #down(item: Kept): void {
    for (;;) {
      const below = [this.#items[2 * item.place + 1], this.#items[2 * item.place + 2]];
      let first = item;
      for (const one of below) if (one !== undefined && isBefore(one, first)) first = one;
      if (first === item) return;
      this.#exchange(item, first);
    }
  }

  #exchange(one: Kept, other: Kept): void {
    const { place } = one;
    this.#put(one, other.place);
    this.#put(other, place);
  }
}

function isBefore(a: Kept, b: Kept): boolean {
  return a.score < b.score || (a.score === b.score && a.entry.lastUseTime < b.entry.lastUseTime);
}
