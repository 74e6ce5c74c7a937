import { describe, expect, it } from "vitest";
import { type LatestReembedding, startReembedding } from "./start-reembedding.ts";

const OLD = { provider: "p", model: "old", dimension: 3 };
const NEW = { provider: "p", model: "new", dimension: 3 };
const REQUEST = { key: "k", bodyHash: "h" };
const latest = (given: Partial<LatestReembedding> = {}): LatestReembedding => ({
  id: "r1",
  target: NEW,
  state: "RUNNING",
  ...given,
});
const start = (
  stored: Partial<Parameters<typeof startReembedding>[1]>,
  asked: Partial<Parameters<typeof startReembedding>[0]> = {},
) =>
  startReembedding(
    { target: NEW, request: undefined, ...asked },
    { latest: undefined, identity: OLD, isCleaningUp: false, ...stored },
  );

describe("the start of a re-embedding", () => {
  it("goes from the model of now when nothing stands against it", () => {
    expect(start({})).toEqual({ source: OLD });
    expect(start({ latest: latest({ state: "DONE", target: OLD }) })).toEqual({ source: OLD });
    expect(start({ latest: latest({ state: "FAILED" }) })).toEqual({ source: OLD });
  });

  it("is answered with the one that runs to the same target, or that the request started", () => {
    expect(start({ latest: latest() })).toEqual({ latest: latest() });
    const done = latest({ state: "DONE", request: REQUEST });
    expect(start({ latest: done, identity: NEW, isCleaningUp: true }, { request: REQUEST })).toEqual({
      latest: done,
    });
  });

  it.each([
    ["another runs", { latest: latest({ target: OLD }) }, "running"],
    ["the model is the same", { identity: NEW }, "unchanged"],
    ["vector search is switched off", { identity: undefined }, "unchanged"],
    ["the one before is still being cleaned up", { isCleaningUp: true }, "cleaning_up"],
  ])("is refused when %s", (_, stored, cause) => {
    expect(() => start(stored)).toThrow(
      expect.objectContaining({
        reason: "REEMBEDDING_CONFLICT",
        detail: expect.objectContaining({ metadata: expect.objectContaining({ cause }) }),
      }),
    );
  });

  it("is refused when its request_id has started one with another body", () => {
    const done = latest({ state: "DONE", request: REQUEST });
    expect(() => start({ latest: done }, { request: { ...REQUEST, bodyHash: "other" } })).toThrow(
      expect.objectContaining({ reason: "REQUEST_ID_REUSED" }),
    );
  });
});
