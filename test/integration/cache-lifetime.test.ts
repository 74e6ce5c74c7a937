import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  LookupCacheResponse_Miss_Reason as MissReason,
  StoreCacheEntryResponse_NotStoredReason as NotStored,
  type StoreCacheEntryResponse,
} from "#gen/recollect/v1/cache_pb.js";
import type { Environment } from "../../src/config/sources.ts";
import { NOW } from "../support/builders.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const scope = { model: "m" };
const STABLE = "How do I cancel my order?";
const text = (value: string) => ({ prompt: { case: "text" as const, value } });

interface Given {
  readonly response?: string;
  readonly ttlMs?: number;
  readonly finishReason?: string;
}

async function withApp(
  use: (served: {
    readonly app: TestApp;
    readonly advance: (ms: number) => void;
    readonly store: (prompt: string, given?: Given) => Promise<StoreCacheEntryResponse>;
    /** The outcome as one word, with the answer of a hit. */
    readonly look: (prompt: string) => Promise<string>;
  }) => Promise<void>,
  options: { readonly env?: Environment; readonly adaptiveTtl?: boolean; readonly maxAgeMs?: number } = {},
): Promise<void> {
  let now = NOW;
  await using app = await startApp({
    overrides: { clock: { now: () => now } },
    ...(options.env === undefined ? {} : { env: options.env }),
    configure: (config) => ({
      ...config,
      cache: {
        ...config.cache,
        adaptiveTtl: options.adaptiveTtl ?? true,
        maxAgeMs: options.maxAgeMs ?? config.cache.maxAgeMs,
      },
    }),
  });
  await use({
    app,
    advance: (ms) => {
      now += ms;
    },
    store: (prompt, { response = "yes", ttlMs, finishReason = "" } = {}) =>
      app.cache.storeCacheEntry({
        prompt: text(prompt),
        origin: { case: "scope", value: scope },
        response,
        finishReason,
        ...(ttlMs === undefined ? {} : { ttl: durationFromMs(ttlMs) }),
      }),
    look: async (prompt) => {
      const { outcome } = await app.cache.lookupCache({ prompt: text(prompt), scope });
      if (outcome.case === "hit") {
        return `${outcome.value.stale ? "stale" : "fresh"} ${outcome.value.entry?.response}`;
      }
      return outcome.case === "miss" ? MissReason[outcome.value.reason] : "none";
    },
  });
}

/** Milliseconds from the store on. */
function lifeOf({ entry }: StoreCacheEntryResponse): { readonly expires: number; readonly due: number } {
  const since = (time: { readonly seconds: bigint; readonly nanos: number } | undefined): number =>
    time === undefined ? 0 : Number(time.seconds) * 1000 + time.nanos / 1e6;
  const created = since(entry?.createTime);
  return {
    expires: since(entry?.expireTime) - created,
    due: entry?.refreshTime === undefined ? 0 : since(entry.refreshTime) - created,
  };
}

describe("an adaptive TTL", () => {
  it("is the default TTL, up to a tenth shorter, and due in its last tenth", async () => {
    await withApp(async ({ store }) => {
      const lives = [];
      for (let index = 0; index < 20; index += 1) lives.push(lifeOf(await store(`${STABLE} ${index}`)));
      for (const { expires, due } of lives) {
        expect(expires).toBeLessThanOrEqual(HOUR);
        expect(expires).toBeGreaterThan(0.9 * HOUR - 2);
        expect(due).toBe(Math.floor(0.9 * expires));
      }
      expect(new Set(lives.map(({ expires }) => expires)).size).toBeGreaterThan(15);
    });
  });

  it("is shorter for a question about the present", async () => {
    await withApp(async ({ store }) => {
      expect(lifeOf(await store("What should I cook today?")).expires).toBeLessThanOrEqual(5 * MINUTE);
      expect(lifeOf(await store("What is the latest version of Node.js?")).expires).toBeLessThanOrEqual(
        HOUR / 4,
      );
    });
  });

  it("is that of the call where it has one, and at most the maximum age", async () => {
    await withApp(async ({ store }) => {
      expect(lifeOf(await store("What is the weather today?", { ttlMs: 30_000 }))).toEqual({
        expires: 30_000,
        due: 0,
      });
      expect(lifeOf(await store(STABLE, { ttlMs: 20 * 24 * HOUR })).expires).toBe(24 * HOUR);
    });
  });

  it("may be longer than a day with a higher maximum age", async () => {
    await withApp(
      async ({ store, advance, look }) => {
        expect(lifeOf(await store(STABLE, { ttlMs: 20 * 24 * HOUR })).expires).toBe(20 * 24 * HOUR);
        advance(19 * 24 * HOUR);
        expect(await look(STABLE)).toBe("fresh yes");
        advance(24 * HOUR);
        expect(await look(STABLE)).toBe("NOT_FOUND");
      },
      { maxAgeMs: 30 * 24 * HOUR },
    );
  });

  it("grows when a refresh brings the same answer, and shrinks when it brings another", async () => {
    await withApp(async ({ store, advance }) => {
      const first = lifeOf(await store(STABLE));
      advance(first.due);
      expect(lifeOf(await store(STABLE)).expires).toBeGreaterThan(1.3 * HOUR);
      advance(1000);
      // Nobody can know after a second.
      expect(lifeOf(await store(STABLE)).expires).toBeGreaterThan(1.3 * HOUR);
      expect(lifeOf(await store(STABLE, { response: "no" })).expires).toBeLessThanOrEqual(0.75 * HOUR);
    });
  });

  it("gives the refresh of a due answer to one caller, and the old answer to the others", async () => {
    await withApp(async ({ store, advance, look }) => {
      const { due, expires } = lifeOf(await store(STABLE));
      advance(due - 1);
      expect(await look(STABLE)).toBe("fresh yes");
      advance(1);
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => look(STABLE)));
      expect(outcomes.filter((one) => one === "REFRESH")).toHaveLength(1);
      expect(outcomes.filter((one) => one === "stale yes")).toHaveLength(19);
      // That caller has failed: another one gets it.
      advance(MINUTE);
      expect([await look(STABLE), await look(STABLE)]).toEqual(["REFRESH", "stale yes"]);
      await store(STABLE, { response: "refreshed" });
      expect(await look(STABLE)).toBe("fresh refreshed");
      advance(expires);
      expect(await look(STABLE)).toBe("NOT_FOUND");
    });
  });
});

describe("an answer that should not be served to others", () => {
  it.each([
    ["What is the weather in Vienna?", {}, NotStored.VOLATILE],
    [STABLE, { response: "I'm sorry, but I can't help with that." }, NotStored.REFUSAL],
    [STABLE, { response: "Open Orders and", finishReason: "length" }, NotStored.TRUNCATED],
    [STABLE, { response: "Open Orders and", finishReason: "MAX_TOKENS", ttlMs: MINUTE }, NotStored.TRUNCATED],
  ])("is not stored: %s %o", async (prompt, given, notStoredReason) => {
    await withApp(async ({ app, store, look }) => {
      expect(await store(prompt, given)).toMatchObject({ stored: false, notStoredReason });
      expect(await look(prompt)).toBe("NOT_FOUND");
      const page = await (await fetch(`${app.httpUrl}/metrics`)).text();
      expect(page).toContain(`recollect_cache_not_stored_total{reason="${NotStored[notStoredReason]}"`);
    });
  });

  it("leaves an earlier answer where it is", async () => {
    await withApp(async ({ store, look }) => {
      await store(STABLE);
      await store(STABLE, { response: "I cannot assist with that." });
      expect(await look(STABLE)).toBe("fresh yes");
    });
  });

  it("is stored, unless it was cut off, with enable_adaptive_ttl=false, for its plain TTL", async () => {
    await withApp(
      async ({ store }) => {
        const stored = await store("What is the weather in Vienna?", { response: "I can't help with that." });
        expect(stored).toMatchObject({ stored: true });
        expect(lifeOf(stored)).toEqual({ expires: HOUR, due: 0 });
        expect(await store(STABLE, { finishReason: "length" })).toMatchObject({ stored: false });
      },
      { adaptiveTtl: false },
    );
  });
});
