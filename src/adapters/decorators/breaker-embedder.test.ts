import { describe, expect, it } from "vitest";
import {
  failure,
  kindOf,
  never,
  recordedMetrics,
  type Step,
  scriptedEmbedder,
} from "../../../test/support/scripted-embedder.ts";
import type { Urgency } from "../../ports/embedding/embedder.ts";
import { breakable } from "./breaker-embedder.ts";

function open() {
  const provider = scriptedEmbedder();
  const metrics = recordedMetrics();
  const time = { now: 1000 };
  const warnings: object[] = [];
  const embedder = breakable(provider, {
    policy: { failureThreshold: 3, openMs: 100, maxOpenMs: 1000 },
    clock: { now: () => time.now },
    log: { warn: (fields) => void warnings.push(fields) },
    metrics,
  });
  const ask = async (step: Step, urgency: Urgency = "WRITE") => {
    provider.next(step);
    const before = provider.calls.length;
    const kind = await kindOf(embedder.embed(["a"], never(), urgency));
    const asked = provider.calls.length > before;
    // What was not asked for is not left for the next.
    if (!asked) await provider.embed([], never()).catch(() => undefined);
    return asked ? (kind ?? "ok") : `refused: ${kind}`;
  };
  const states = () => [embedder.status().WRITE.state, embedder.status().LOOKUP.state];
  return { provider, metrics, time, warnings, embedder, ask, states };
}

describe("breakable", () => {
  it("asks nobody once enough has failed in a row, then probes, and goes on when that works", async () => {
    const { ask, time, states, embedder, warnings, metrics } = open();
    for (const kind of ["SERVER_ERROR", "CONNECTION", "MALFORMED"] as const)
      expect(await ask(kind)).toBe(kind);
    expect(embedder.status().WRITE).toMatchObject({ state: "OPEN", since: 1000, lastFailure: "MALFORMED" });
    expect(await ask("ok")).toBe("refused: BREAKER_OPEN");
    expect(await ask("ok", "LOOKUP")).toBe("refused: BREAKER_OPEN");
    time.now += 100;
    expect(await ask("SERVER_ERROR")).toBe("SERVER_ERROR");
    time.now += 199;
    expect(await ask("ok")).toBe("refused: BREAKER_OPEN");
    time.now += 1;
    expect(await ask("ok")).toBe("ok");
    expect(states()).toEqual(["CLOSED", "CLOSED"]);
    // One word when it opens and one when it closes, for each of the two.
    expect(warnings).toMatchObject([
      { urgency: "WRITE", state: "OPEN", cause: "MALFORMED" },
      { urgency: "LOOKUP", state: "OPEN" },
      { urgency: "WRITE", state: "CLOSED" },
      { urgency: "LOOKUP", state: "CLOSED" },
    ]);
    expect(metrics.record.filter(([, urgency]) => urgency === "WRITE").map(([, , state]) => state)).toEqual([
      "CLOSED",
      "OPEN",
      "HALF_OPEN",
      "OPEN",
      "HALF_OPEN",
      "CLOSED",
    ]);
  });

  it.each(["KEY_REFUSED", "MISCONFIGURED"] as const)(
    "opens at the first %s, for both, and goes on saying why",
    async (kind) => {
      const { ask, states, time } = open();
      expect(await ask(kind, "LOOKUP")).toBe(kind);
      expect(states()).toEqual(["OPEN", "OPEN"]);
      time.now += 999;
      expect(await ask("ok")).toBe(`refused: ${kind}`);
      time.now += 1;
      expect(await ask("ok")).toBe("ok");
      expect(states()).toEqual(["CLOSED", "CLOSED"]);
    },
  );

  it("lets nobody pass beside the probe", async () => {
    const { ask, provider, embedder, time } = open();
    await ask("KEY_REFUSED");
    time.now += 1000;
    provider.next("hang");
    const probe = embedder.embed(["a"], never());
    expect(await kindOf(embedder.embed(["b"], never()))).toBe("KEY_REFUSED");
    provider.calls.at(-1)?.release();
    expect(await probe).toHaveLength(1);
    expect(await ask("ok")).toBe("ok");
  });

  it("says when it is worth coming back", async () => {
    const { ask, embedder, time } = open();
    await ask("RATE_LIMITED");
    await ask("RATE_LIMITED");
    await ask(failure("RATE_LIMITED", 700));
    time.now += 50;
    await expect(embedder.embed(["a"], never())).rejects.toMatchObject({
      reason: "EMBEDDER_UNAVAILABLE",
      detail: { retryAfterMs: 650 },
    });
  });

  it("takes a provider that is too slow for lookups for what it is: writes go on", async () => {
    const { ask, states } = open();
    for (let time = 0; time < 3; time += 1) await ask("TIMEOUT", "LOOKUP");
    expect(states()).toEqual(["CLOSED", "OPEN"]);
    expect(await ask("ok", "WRITE")).toBe("ok");
    expect(states()).toEqual(["CLOSED", "OPEN"]);
    expect(await ask("ok", "LOOKUP")).toBe("refused: BREAKER_OPEN");
  });

  it("takes a write that timed out as a failure for both", async () => {
    const { ask, states } = open();
    for (let time = 0; time < 3; time += 1) await ask("TIMEOUT", "WRITE");
    expect(states()).toEqual(["OPEN", "OPEN"]);
  });

  it("does not count texts that are refused: the provider answers", async () => {
    const { ask, states, embedder } = open();
    await ask("SERVER_ERROR");
    await ask("SERVER_ERROR");
    for (let time = 0; time < 5; time += 1) await ask("INPUT_REFUSED");
    expect(states()).toEqual(["CLOSED", "CLOSED"]);
    expect(embedder.status().WRITE.failures).toBe(0);
  });
});
