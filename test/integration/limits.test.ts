import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema } from "#gen/google/rpc/error_details_pb.js";
import {
  BatchCreateMemoriesRequestSchema,
  BatchCreateMemoriesResponseSchema,
  ImportMemoriesResponseSchema,
  MemorySchema,
  MemoryService,
} from "#gen/recollect/v1/memory_pb.js";
import { type Limit, type LimitsOptions, limitsOf } from "../support/limits.ts";
import { RawGrpc, type RawStreamOutcome } from "../support/raw-grpc.ts";
import { pathOf, servedMethods } from "../support/served.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const TEXT_PROMPT = { prompt: { case: "text", value: "q" } };
const SCOPE = { model: "m" };
const at = (seconds: bigint) => ({ seconds });

const OPTIONS: LimitsOptions = {
  valid: {
    "recollect.v1.Memory": { text: "x" },
    "recollect.v1.CreateMemoryRequest": { memory: { text: "x" } },
    "recollect.v1.BatchCreateMemoriesRequest": { memories: [{ text: "x" }] },
    "recollect.v1.GetMemoryRequest": { id: "m" },
    "recollect.v1.BatchGetMemoriesRequest": { ids: ["m"] },
    "recollect.v1.UpdateMemoryRequest": { memory: { id: "m", text: "x" } },
    "recollect.v1.DeleteMemoryRequest": { id: "m" },
    "recollect.v1.ListMemoryRevisionsRequest": { id: "m" },
    "recollect.v1.RestoreMemoryRequest": { id: "m" },
    "recollect.v1.PurgeMemoriesRequest": { filter: { userId: "u" } },
    "recollect.v1.MemoryFilter": { userId: "u" },
    "recollect.v1.SearchMemoriesRequest": { query: { by: { case: "text", value: "x" } } },
    "recollect.v1.SearchMemoriesRequest.Query": { by: { case: "text", value: "x" } },
    "recollect.v1.DeleteNamespaceRequest": { namespace: "n" },
    "recollect.v1.ImportMemoriesRequest": { sequence: 1, memories: [{ id: "imported", text: "x" }] },
    "recollect.v1.LookupCacheRequest": { prompt: TEXT_PROMPT, scope: SCOPE },
    "recollect.v1.StoreCacheEntryRequest": {
      prompt: TEXT_PROMPT,
      origin: { case: "scope", value: SCOPE },
      response: "a",
    },
    "recollect.v1.CachePrompt": TEXT_PROMPT,
    "recollect.v1.CacheScope": SCOPE,
    "recollect.v1.ChatPrompt": { messages: [{ role: "user", content: "q" }] },
    "recollect.v1.ChatMessage": { role: "user", content: "q" },
    "recollect.v1.GetCacheEntryRequest": { id: "e" },
    "recollect.v1.DeleteCacheEntryRequest": { id: "e" },
    "recollect.v1.UpdateCachePolicyRequest": { policy: {} },
    "recollect.v1.ReportCacheOutcomeRequest": { decisionId: "d", outcome: 1 },
    "recollect.v1.GetCompactionRequest": { id: "c" },
    "recollect.v1.WatchCompactionRequest": { id: "c" },
    "recollect.v1.ApproveCompactionRequest": { id: "c", etag: "e" },
    "recollect.v1.CancelCompactionRequest": { id: "c" },
    "recollect.v1.UndoCompactionRequest": { id: "c" },
    "recollect.v1.UpdateCompactionPolicyRequest": { policy: {} },
  },
  patterns: {
    "^([a-z0-9][a-z0-9._-]{0,62})?$": { fits: `0${"a._-".repeat(15)}zz`, unfit: "a".repeat(64) },
    "^[a-z0-9][a-z0-9._-]{0,62}$": { fits: "a".repeat(63), unfit: "" },
    "^([A-Za-z0-9][A-Za-z0-9._:-]{0,127})?$": { fits: "Aa0._:-", unfit: ".a" },
  },
  byHand: {
    "recollect.v1.MemoryFilter.TimeRange time_range.order": {
      field: "",
      inside: { start: at(1n), end: { seconds: 1n, nanos: 1 } },
      outside: { start: at(1n), end: at(1n) },
    },
    "recollect.v1.SearchMemoriesRequest.Query by.required": {
      field: "by",
      inside: { by: { case: "memoryId", value: "m" } },
      outside: {},
    },
    "recollect.v1.CachePrompt prompt.required": { field: "prompt", inside: TEXT_PROMPT, outside: {} },
    "recollect.v1.StoreCacheEntryRequest origin.required": {
      field: "origin",
      inside: { prompt: TEXT_PROMPT, response: "a", origin: { case: "scope", value: SCOPE } },
      outside: { prompt: TEXT_PROMPT, response: "a" },
    },
    "recollect.v1.ChatPrompt chat_prompt.last_is_user": {
      field: "",
      inside: {
        messages: [
          { role: "assistant", content: "" },
          { role: "user", content: "q" },
        ],
      },
      outside: {
        messages: [
          { role: "user", content: "q" },
          { role: "user", content: "" },
        ],
      },
    },
    "recollect.v1.CacheScope oneof(principal, shared)": {
      field: "",
      inside: { model: "m", shared: true },
      outside: { model: "m", shared: true, principal: "p" },
    },
  },
};

/** Fields that an update mask may not contain; their rules do not apply to updates. */
const NOT_CORRECTED: readonly string[] = ["session_id", "supersedes", "flags"];

/** Limits that are checked on the encoded request. */
const BEFORE_DECODING = /string\.max_bytes$|repeated\.max_items$/;

/** Limits that another limit precedes, and the field that the other one reports. */
const OVERLAPS: Readonly<Record<string, string>> = {
  // All contents together have the same limit; see limits-without-rule.test.ts.
  "prompt.chat.messages[0].content string.max_bytes": "prompt.chat.messages",
  // StartReembedding: the embedder of this server has only one model.
  "model string.max_len": "model",
};

describe("every limit in the proto", () => {
  let app: TestApp;
  let raw: RawGrpc;
  let served: readonly DescMethod[];
  beforeAll(async () => {
    app = await startApp();
    raw = new RawGrpc(app.grpcAddress);
    served = await servedMethods(app.grpcAddress);
  });
  afterAll(async () => {
    raw[Symbol.dispose]();
    await app[Symbol.asyncDispose]();
  });

  /** Calls the method; for request streams with one message. */
  const call = (method: DescMethod, request: object): Promise<RawStreamOutcome> =>
    raw.stream(pathOf(method), [encoded(method.input, request)]);

  it("of a served request accepts a value at the limit, and names the field of one beyond it", async () => {
    const wrong: object[] = [];
    let tested = 0;
    for (const method of served) {
      for (const { name, path, inside, outside } of limitsOf(method.input, OPTIONS)) {
        tested += 1;
        const limit = `${method.name}: ${name}`;
        const taken = await call(method, inside);
        const others = taken.fields.filter((field) => OVERLAPS[name] !== field);
        if (taken.reason === "REQUEST_INVALID" && others.length > 0) wrong.push({ limit, inside: others });
        const refused = await call(method, outside);
        if (refused.reason !== "REQUEST_INVALID" || !refused.fields.includes(path)) {
          wrong.push({ limit, outside: [refused.reason, ...refused.fields], expected: path });
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(served).toContain(MemoryService.method.importMemories);
    expect(served).toContain(MemoryService.method.exportMemories);
    // Minimum number of rules, so that a walk that misses some fails.
    expect(tested).toBeGreaterThanOrEqual(200);
  });

  const memoryLimits: readonly Limit[] = limitsOf(MemorySchema, OPTIONS);

  it("of a memory applies to each item of a batch, with a result of its own", async () => {
    const method = MemoryService.method.batchCreateMemories;
    const wrong: object[] = [];
    for (const { name, path, inside, outside } of memoryLimits) {
      const good = { text: `good beside ${name}` };
      const request = encoded(BatchCreateMemoriesRequestSchema, {
        memories: [good, inside, outside],
        onDuplicate: 2,
      });
      const { reply, reason } = await raw.unary(pathOf(method), request);
      if (reply === undefined) {
        wrong.push({ name, reason });
        continue;
      }
      const { results } = fromBinary(BatchCreateMemoriesResponseSchema, reply);
      const [first, second, third] = results.map(({ outcome }) =>
        outcome.case === "error"
          ? outcome.value.details.flatMap(
              (any) => anyUnpack(any, BadRequestSchema)?.fieldViolations.map(({ field }) => field) ?? [],
            )
          : [],
      );
      const field = `memories[2].${path}`;
      if (first?.length !== 0 || second?.length !== 0 || !third?.includes(field))
        wrong.push({ name, first, second, third });
    }
    expect(wrong).toEqual([]);
  });

  it("of a memory applies to each memory of an import, with an error of its own", async () => {
    const method = MemoryService.method.importMemories;
    const wrong: object[] = [];
    for (const { name, path, inside, outside } of memoryLimits) {
      const memories = [
        { id: "good", text: `good beside ${name}` },
        { id: "inside", ...inside },
        { id: "outside", ...outside },
      ];
      const { replies, reason } = await call(method, { sequence: 1, memories });
      const [reply] = replies;
      if (reply === undefined) {
        wrong.push({ name, reason });
        continue;
      }
      const { refusals } = fromBinary(ImportMemoriesResponseSchema, reply);
      const fieldsOf = (place: number): readonly string[] =>
        refusals
          .filter(({ index }) => index === place)
          .flatMap(({ error }) => error?.details ?? [])
          .flatMap((any) => anyUnpack(any, BadRequestSchema)?.fieldViolations ?? [])
          .map(({ field }) => field);
      // An import has no reference time for a TTL, of any length.
      const taken = fieldsOf(1).every((field) => field === "memories[1].ttl" && path === "ttl");
      if (fieldsOf(0).length > 0 || !taken || !fieldsOf(2).includes(`memories[2].${path}`)) {
        wrong.push({ name, first: fieldsOf(0), second: fieldsOf(1), third: fieldsOf(2) });
      }
    }
    expect(wrong).toEqual([]);
  });

  it("of a memory applies to the fields in an update mask, and to no others", async () => {
    const method = MemoryService.method.updateMemory;
    const wrong: object[] = [];
    const named = memoryLimits.filter(({ path }) => !NOT_CORRECTED.includes(path.split("[")[0] ?? ""));
    expect(named.length).toBeGreaterThan(20);
    for (const { name, path, inside, outside } of named) {
      const field = path.split("[")[0] ?? "";
      const ask = (memory: object, paths: readonly string[]): Promise<RawStreamOutcome> =>
        call(method, { memory: field === "id" ? memory : { ...memory, id: "m" }, updateMask: { paths } });
      const paths = field === "id" ? ["text"] : [field];
      const taken = await ask(inside, paths);
      if (taken.reason === "REQUEST_INVALID") wrong.push({ name, inside: taken });
      const refused = await ask(outside, paths);
      if (refused.reason !== "REQUEST_INVALID" || !refused.fields.includes(`memory.${path}`)) {
        wrong.push({ name, outside: refused });
      }
      const passedOver = await ask(outside, [field === "pinned" ? "role" : "pinned"]);
      // Size limits are checked before the update mask.
      const expected = BEFORE_DECODING.test(name) ? "REQUEST_INVALID" : "MEMORY_NOT_FOUND";
      if (field !== "id" && passedOver.reason !== expected) wrong.push({ name, passedOver });
    }
    expect(wrong).toEqual([]);
  });
});

function encoded(desc: DescMessage, init: object): Uint8Array {
  return toBinary(desc, create(desc, init as MessageInitShape<DescMessage>));
}
