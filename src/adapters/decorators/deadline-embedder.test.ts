import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { failure, kindOf, never, scriptedEmbedder } from "../../../test/support/scripted-embedder.ts";
import { deadlined } from "./deadline-embedder.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

describe("deadlined", () => {
  it.each([
    ["WRITE", 30_000],
    ["LOOKUP", 800],
  ] as const)("gives a %s its own time, and tells the provider that it is up", async (urgency, limit) => {
    const provider = scriptedEmbedder();
    provider.always("hang");
    const embedder = deadlined(provider, { WRITE: 30_000, LOOKUP: 800 });
    const ended = kindOf(embedder.embed(["a"], never(), urgency));
    await vi.advanceTimersByTimeAsync(limit - 1);
    expect(provider.calls[0]?.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await ended).toBe("TIMEOUT");
    expect(provider.calls[0]?.signal.aborted).toBe(true);
  });

  it("forwards the reason of the outer signal, and leaves no timer", async () => {
    const provider = scriptedEmbedder();
    provider.next("ok", "SERVER_ERROR", "hang");
    const embedder = deadlined(provider, { WRITE: 30_000, LOOKUP: 800 });
    expect(await kindOf(embedder.embed(["a"], never()))).toBeUndefined();
    expect(await kindOf(embedder.embed(["a"], never()))).toBe("SERVER_ERROR");
    const controller = new AbortController();
    const ended = kindOf(embedder.embed(["a"], controller.signal));
    controller.abort(failure("STOPPING"));
    expect(await ended).toBe("STOPPING");
    expect(vi.getTimerCount()).toBe(0);
  });
});
