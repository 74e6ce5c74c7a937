import { describe, expect, it } from "vitest";
import { outcomeText } from "../../../test/contract/memory/support.ts";
import { referenceStores } from "../../../test/support/reference/backend.ts";
import { unboundedWork } from "../../../test/support/unbounded-work.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { MemoryDraft } from "../../domain/memory/draft.ts";
import type { CreateOptions, CreateOutcome, MemoryWriter } from "../../ports/memory/writer.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { type CreateMemoriesInput, createMemories } from "./create-memories.ts";

const NOW = 1_700_000_000_000;
/** Of the reference store: 4,096 bytes a step. */
const LONG = "word ".repeat(300);

describe("createMemories", () => {
  it("writes a small batch in one step, and a large one in several within the limits of the store", async () => {
    const small = createdIn(await world().run({ drafts: drafts(20, "short") }));
    expect(small).toEqual([20]);
    const world1 = world();
    const { outcomes, calls } = await world1.run({ drafts: drafts(20, LONG) });
    expect(outcomes.map(outcomeText)).toEqual(drafts(20, LONG).map(({ id }) => `created ${id}`));
    expect(calls.map(({ items }) => items).every((items) => items === 2)).toBe(true);
    expect(calls.map(({ isLast }) => isLast)).toEqual([...Array.from({ length: 9 }, () => false), true]);
  });

  it("stores the same in several steps as in one, with refusals in their places", async () => {
    const wrong = new RecollectError("REQUEST_INVALID", "is wrong");
    const [one, two] = drafts(2, LONG);
    const twice = { ...(one as MemoryDraft), id: "other" };
    const { outcomes } = await world().run({
      drafts: [one as MemoryDraft, wrong, two as MemoryDraft, twice, wrong],
    });
    expect(outcomes.map(outcomeText)).toEqual([
      "created m0",
      "refused REQUEST_INVALID",
      "created m1",
      "duplicate m0",
      "refused REQUEST_INVALID",
    ]);
  });

  it.each([0, 1, 4])("continues after step %d when it failed there and is retried", async (broken) => {
    const made = world();
    const input = { drafts: drafts(10, LONG).map((draft) => ({ ...draft, id: "" })), requestId: "r" };
    const first = made.run(input, { failBefore: broken });
    await expect(first).rejects.toThrow("broken");
    expect((await made.stored()).length).toBe(2 * broken);
    const { outcomes } = await made.run(input);
    const ids = outcomes.map((one) => (one.kind === "created" ? one.memory.id : ""));
    expect(new Set(ids).size).toBe(10);
    expect(await made.stored()).toEqual(ids.toSorted());
    // Another retry: the same, and nothing is written.
    expect((await made.run(input)).outcomes).toEqual(outcomes);
    expect(await made.stored()).toHaveLength(10);
  });

  it("is completed by concurrent retries together", async () => {
    const made = world();
    const input = { drafts: drafts(10, LONG).map((draft) => ({ ...draft, id: "" })), requestId: "r" };
    const all = await Promise.all(Array.from({ length: 5 }, () => made.run(input)));
    for (const { outcomes } of all) expect(outcomes).toEqual(all[0]?.outcomes);
    expect(await made.stored()).toHaveLength(10);
  });

  it("writes no further step when its call was cancelled", async () => {
    const made = world();
    const ending = new AbortController();
    const input = { drafts: drafts(10, LONG), requestId: "r" };
    const run = made.run(input, {
      signal: ending.signal,
      afterStep: () => ending.abort(new Error("expired")),
    });
    await expect(run).rejects.toThrow("expired");
    expect(await made.stored()).toEqual(["m0", "m1"]);
    expect((await made.run(input)).outcomes.map(outcomeText)).toEqual(
      input.drafts.map(({ id }) => `created ${id}`),
    );
  });

  it("identifies a retry by the digest of its whole body", async () => {
    const body = { drafts: drafts(2, "short"), onDuplicate: "REFUSE" as const };
    const { calls } = await world().run({ ...body, requestId: "r" });
    const request = idempotentRequest(context(), "Batch", "r", body, NOW);
    expect(calls[0]?.request).toEqual(request);
    const usual = await world().run({ drafts: [], requestId: "r" });
    expect(usual.calls[0]?.request).toEqual(
      idempotentRequest(context(), "Batch", "r", { drafts: [], onDuplicate: null }, NOW),
    );
  });
});

interface Call {
  readonly items: number;
  readonly isLast: boolean | undefined;
  readonly request: CreateOptions["request"];
}

interface Hooks {
  readonly signal?: AbortSignal;
  /** The step before which the store fails. */
  readonly failBefore?: number;
  readonly afterStep?: () => void;
}

/** A store, and the use case with it. */
function world() {
  const { memories } = referenceStores();
  const scope = { tenant: "t", namespace: "default" };
  let made = 0;
  const run = async (
    input: Pick<CreateMemoriesInput, "drafts" | "requestId" | "onDuplicate">,
    { signal, failBefore, afterStep }: Hooks = {},
  ): Promise<{ readonly outcomes: CreateOutcome[]; readonly calls: readonly Call[] }> => {
    const calls: Call[] = [];
    const create: MemoryWriter["create"] = async (where, items, options) => {
      if (calls.length === failBefore) throw new Error("broken");
      calls.push({ items: items.length, isLast: options.step?.isLast, request: options.request });
      const outcomes = await memories.writer.create(where, items, options);
      afterStep?.();
      return outcomes;
    };
    const ids = { next: () => `made${made++}` };
    const outcomes = await createMemories(
      {
        memories: { writer: { create, stepLimits: memories.writer.stepLimits } },
        embedder: undefined,
        embeddingWaitMs: 1000,
        clock: { now: () => NOW },
        ids,
        work: unboundedWork,
        writeGuards: () => ({ secrets: "FLAG", recallLoopMs: 0 }),
        metrics: { writeGuard: () => undefined },
      },
      { rpc: "Batch", namespace: scope.namespace, pathOf: (index) => `memories[${index}]`, ...input },
      context(signal),
    );
    return { outcomes, calls };
  };
  const stored = async (): Promise<string[]> => {
    const found = await memories.reader.list(scope, {
      filter: { states: ["ACTIVE"] },
      limit: 1000,
      now: NOW,
    });
    return found.map(({ id }) => id).sort();
  };
  return { run, stored };
}

function createdIn({ calls }: { readonly calls: readonly Call[] }): number[] {
  return calls.map(({ items }) => items);
}

function context(signal = new AbortController().signal): CallContext {
  return {
    caller: { tenant: "t", principal: "p", roles: new Set(), debug: false },
    signal,
    arrival: 0,
    deadline: Number.POSITIVE_INFINITY,
  };
}

function drafts(count: number, text: string): MemoryDraft[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `m${index}`,
    text: `${text} ${index}`,
    kind: "SEMANTIC",
    userId: "",
    agentId: "",
    sessionId: "",
    role: "",
    author: "",
    tags: [],
    metadata: {},
    importance: 0.5,
    pinned: false,
    sourceIds: [],
  }));
}
