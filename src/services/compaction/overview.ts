import type { Clock } from "../../ports/clock.ts";
import type { CompactionStore } from "../../ports/compaction/compaction-store.ts";
import type { CompactionOverview } from "../../ports/metrics.ts";

const DAY_MS = 24 * 3600 * 1000;
/** Runs read at once. */
const PAGE_SIZE = 200;
/** An overview is read again after so long: metrics may be scraped by several. */
const FRESH_MS = 10_000;
/** A run that was read may be undone later. */
const RUN_FRESH_MS = 5 * 60_000;

interface Tokens {
  readonly before: number;
  readonly after: number;
  readonly readTime: number;
}

/** Reads the overview of compactions from the store, the same on all servers, for metrics. */
export class CompactionOverviews {
  readonly #store: Pick<CompactionStore, "ended" | "get" | "changedScopes" | "unfinished">;
  readonly #clock: Clock;
  /** Of the runs of the last 24 hours, by id. */
  #tokens = new Map<string, Tokens>();
  #latest: { readonly time: number; readonly overview: Promise<CompactionOverview> } | undefined;

  constructor(store: Pick<CompactionStore, "ended" | "get" | "changedScopes" | "unfinished">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  read(): Promise<CompactionOverview> {
    const now = this.#clock.now();
    if (this.#latest === undefined || Math.abs(now - this.#latest.time) >= FRESH_MS) {
      this.#latest = { time: now, overview: this.#readNow(now) };
    }
    return this.#latest.overview;
  }

  async #readNow(now: number): Promise<CompactionOverview> {
    const [efficiency, [oldest], unclaimed] = await Promise.all([
      this.#efficiency(now),
      this.#store.changedScopes({ since: now, changes: Number.MAX_SAFE_INTEGER, limit: 1 }),
      this.#store.unfinished({ now, limit: 1000 }),
    ]);
    return {
      efficiency,
      oldestChangeMs: oldest === undefined ? 0 : Math.max(0, now - oldest.since),
      unclaimedRuns: unclaimed.length,
    };
  }

  async #efficiency(now: number): Promise<number> {
    const tokens = new Map<string, Tokens>();
    let after: { readonly endTime: number; readonly id: string } | undefined = {
      endTime: now - DAY_MS,
      id: "",
    };
    while (after !== undefined) {
      const page = await this.#store.ended({ after, before: now + 1, limit: PAGE_SIZE });
      const read = await Promise.all(
        page.map(async (run) => [run.id, await this.#tokensOf(run, now)] as const),
      );
      for (const [id, one] of read) tokens.set(id, one);
      const last = page.at(-1);
      after =
        page.length < PAGE_SIZE || last === undefined ? undefined : { endTime: last.endTime, id: last.id };
    }
    this.#tokens = tokens;
    const before = [...tokens.values()].reduce((sum, one) => sum + one.before, 0);
    const left = [...tokens.values()].reduce((sum, one) => sum + one.after, 0);
    return before === 0 ? 0 : 1 - left / before;
  }

  async #tokensOf(
    { namespaceKey, id }: Awaited<ReturnType<CompactionStore["ended"]>>[number],
    now: number,
  ): Promise<Tokens> {
    const known = this.#tokens.get(id);
    if (known !== undefined && now - known.readTime < RUN_FRESH_MS) return known;
    const stored = await this.#store.get(namespaceKey, id);
    const { tokensBefore = 0, tokensAfter = 0, state } = stored?.run ?? {};
    return { before: tokensBefore, after: state === "UNDONE" ? tokensBefore : tokensAfter, readTime: now };
  }
}
