import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OnDuplicate, Memory_State as State } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

describe("a memory that supersedes others", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const textsOf = async (namespace: string, includeSuperseded: boolean): Promise<string[]> => {
    const { results } = await app.memory.searchMemories({
      namespace,
      query: { by: { case: "text", value: "where does Ana live" } },
      includeSuperseded,
    });
    return results.map(({ memory }) => memory?.text ?? "");
  };

  async function movedTo(namespace: string): Promise<{ readonly paris: string; readonly berlin: string }> {
    const text = "Ana lives in Paris";
    const { memory: paris } = await app.memory.createMemory({ namespace, memory: { text } });
    const { memory: berlin } = await app.memory.createMemory({
      namespace,
      memory: { text: "Ana lives in Berlin", supersedes: [paris?.id ?? ""] },
    });
    return { paris: paris?.id ?? "", berlin: berlin?.id ?? "" };
  }

  it("is found in their place, and they with it when asked for", async () => {
    const namespace = "moved";
    const { paris, berlin } = await movedTo(namespace);
    expect(await textsOf(namespace, false)).toEqual(["Ana lives in Berlin"]);
    expect((await textsOf(namespace, true)).sort()).toEqual(["Ana lives in Berlin", "Ana lives in Paris"]);
    const { memory } = await app.memory.getMemory({ namespace, id: paris });
    expect(memory).toMatchObject({ state: State.SUPERSEDED, supersededBy: berlin });
    const listed = await app.memory.listMemories({ namespace, filter: { states: [State.SUPERSEDED] } });
    expect(listed.memories.map(({ id }) => id)).toEqual([paris]);
    expect((await app.memory.getMemory({ namespace, id: berlin })).memory?.supersedes).toEqual([paris]);
  });

  it("makes them history: they are neither corrected nor superseded again", async () => {
    const namespace = "history";
    const { paris, berlin } = await movedTo(namespace);
    const refusal = { code: "FailedPrecondition", reason: "MEMORY_NOT_ACTIVE" };
    const metadata = { id: paris, state: "SUPERSEDED", superseded_by: berlin };
    const corrected = app.memory.updateMemory({ namespace, memory: { id: paris, text: "x" } });
    expect(await refusalOf(corrected)).toMatchObject({ ...refusal, metadata });
    const again = app.memory.createMemory({ namespace, memory: { text: "Rome", supersedes: [paris] } });
    expect(await refusalOf(again)).toMatchObject({ ...refusal, metadata });
  });

  it("may follow them in one batch", async () => {
    const namespace = "batch";
    const { results } = await app.memory.batchCreateMemories({
      namespace,
      memories: [
        { id: "paris", text: "Ana lives in Paris" },
        { id: "rome", text: "Ana lives in Rome", supersedes: ["paris"] },
        { id: "berlin", text: "Ana lives in Berlin", supersedes: ["rome"] },
        { id: "oslo", text: "Ana lives in Oslo", supersedes: ["rome"] },
      ],
    });
    expect(results.map(({ outcome }) => outcome.case)).toEqual(["memory", "memory", "memory", "error"]);
    expect(await textsOf(namespace, false)).toEqual(["Ana lives in Berlin"]);
    const { memory } = await app.memory.getMemory({ namespace, id: "paris" });
    expect(memory).toMatchObject({ state: State.SUPERSEDED, supersededBy: "rome" });
  });

  it.each([
    ["itself", { id: "own", text: "x", supersedes: ["own"] }, OnDuplicate.UNSPECIFIED, "memory.supersedes"],
    ["others, and may be dropped", { text: "x", supersedes: ["y"] }, OnDuplicate.REFUSE, "on_duplicate"],
  ])("is refused where it supersedes %s", async (_, memory, onDuplicate, field) => {
    const refusal = await refusalOf(app.memory.createMemory({ namespace: "refused", memory, onDuplicate }));
    expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID", fields: [field] });
  });

  it("keeps what it supersedes: an update may repeat it, and may not change it", async () => {
    const namespace = "update";
    const { paris, berlin } = await movedTo(namespace);
    const { memory } = await app.memory.getMemory({ namespace, id: berlin });
    const updated = await app.memory.updateMemory({
      namespace,
      memory: { id: berlin, text: "Ana lives in Berlin now", supersedes: memory?.supersedes ?? [] },
    });
    expect(updated.memory).toMatchObject({ text: "Ana lives in Berlin now", supersedes: [paris] });
    const other = app.memory.updateMemory({ namespace, memory: { id: berlin, supersedes: ["other"] } });
    expect(await refusalOf(other)).toMatchObject({ code: "InvalidArgument", fields: ["memory.supersedes"] });
  });
});
