/** What a cache saved over a trace. */
export class Outcome {
  hits = 0;
  lookups = 0;
  /** Dollars. */
  saved = 0;
  cost = 0;
  evicted = 0;
  /** Answers that were not admitted. */
  refused = 0;

  hit(cost: number): void {
    this.hits += 1;
    this.saved += cost;
    this.miss(cost);
  }

  miss(cost: number): void {
    this.lookups += 1;
    this.cost += cost;
  }

  get hitPercent(): number {
    return (100 * this.hits) / this.lookups;
  }

  get savedPercent(): number {
    return (100 * this.saved) / this.cost;
  }
}
