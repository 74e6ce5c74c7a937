import { RecollectError } from "../../../src/domain/errors.ts";
import type { Embedder } from "../../../src/ports/embedding/embedder.ts";
import { NOW } from "../builders.ts";
import { referenceStores, type Stores } from "../reference/backend.ts";
import { emptyUniverse, LONG_FEED } from "../reference/world.ts";
import type { Answer, Expected, ImportStep } from "./answers.ts";
import { comparableRanking, expectSame } from "./compare.ts";
import {
  type Call,
  countFound,
  currentEtag,
  liveCounts,
  type NaiveContext,
  naiveAnswer,
} from "./naive-service.ts";
import type { Operation, OperationInput } from "./operations.ts";

/** The tested implementation: a store through its ports, or a server over gRPC. */
export interface Tested {
  answer(call: Call, now: number): Promise<Answer>;
  /** The etag of what this is about, read a moment before; empty when there is nothing. */
  etagOf(input: OperationInput, now: number): Promise<string>;
  restart(): Promise<void>;
}

export interface RunOptions {
  readonly embedder: Embedder;
  readonly cache: NaiveContext["cache"];
  readonly tenantOf: NaiveContext["tenantOf"];
  /** Of the tested implementation. */
  readonly maxRevisions: number;
}

/** Counts of compared operations, so that a test can assert that it compared something. */
export interface RunCounts {
  operations: number;
  refused: number;
  replayed: number;
  /** Memories that were there already, and came back for another. */
  duplicates: number;
  rankings: number;
  comparableRankings: number;
  /** Memories that imports stored. */
  imported: number;
  /** Memories that exports gave. */
  exported: number;
  /** Changes that feeds gave. */
  changes: number;
  /** Memories that were restored. */
  restored: number;
  /** Revisions that were listed. */
  revisions: number;
}

export function newRunCounts(): RunCounts {
  return {
    operations: 0,
    refused: 0,
    replayed: 0,
    duplicates: 0,
    rankings: 0,
    comparableRankings: 0,
    imported: 0,
    exported: 0,
    changes: 0,
    restored: 0,
    revisions: 0,
  };
}

interface Past {
  readonly input: OperationInput;
  readonly reference: Call;
  readonly tested: Call;
  readonly answer: Answer;
}

/** Does the operations to both, one after the other, and fails at the first answer that differs. */
export async function runOperations(
  operations: readonly Operation[],
  tested: Tested,
  options: RunOptions,
  counts: RunCounts,
): Promise<void> {
  const stores = referenceStores(emptyUniverse(LONG_FEED), options);
  const past: Past[] = [];
  let now = NOW;
  for (const [index, operation] of operations.entries()) {
    // Each operation has its own time, so that the order of creation and use is always defined.
    now += 1;
    counts.operations += 1;
    if (operation.op === "wait") {
      now += operation.ms;
      continue;
    }
    if (operation.op === "restart") {
      await tested.restart();
      continue;
    }
    const context: NaiveContext = { ...options, stores, now };
    const calls =
      operation.op === "again"
        ? repeat(past, operation)
        : await firstCalls(operation, index, context, tested);
    if (calls === undefined) continue;
    const { input, reference } = calls;
    const expected = await expectation(context, reference);
    const answer = await tested.answer(calls.tested, now);
    try {
      if (!(calls.before !== undefined && isSameDeletion(calls.before, answer))) expectSame(answer, expected);
    } catch (error) {
      const detail = JSON.stringify({ index, input, answer, expected }, null, 2);
      throw new Error(`operation ${index} (${input.op}) differs from the reference:\n${detail}`, {
        cause: error,
      });
    }
    if (answer.kind === "search") countFound(context, input, answer.found);
    count(counts, operation, expected);
    if (operation.op !== "again" && reference.requestId !== undefined) {
      past.push({ input, reference, tested: calls.tested, answer });
    }
  }
}

interface Calls {
  readonly input: OperationInput;
  readonly reference: Call;
  readonly tested: Call;
  /** The first answer of a replayed request. */
  readonly before?: Answer;
}

async function firstCalls(
  input: OperationInput,
  index: number,
  context: NaiveContext,
  tested: Tested,
): Promise<Calls> {
  const requestId = "request" in input && input.request ? { requestId: `r${index}` } : {};
  const wanted = "etag" in input ? input.etag : "none";
  const etags =
    wanted === "current"
      ? [await currentEtag(context, input), await tested.etagOf(input, context.now)]
      : wanted === "stale"
        ? ["stale", "stale"]
        : ["", ""];
  return {
    input,
    reference: { input, etag: etags[0] ?? "", ...requestId },
    tested: { input, etag: etags[1] ?? "", ...requestId },
  };
}

function repeat(past: readonly Past[], again: Operation & { readonly op: "again" }): Calls | undefined {
  const one = past.at(-1 - again.back);
  if (one === undefined) return undefined;
  const { input, reference, tested, answer } = one;
  const other = again.altered ? altered(input) : undefined;
  if (other === undefined) return { input, reference, tested, before: answer };
  return {
    input: other,
    reference: { ...reference, input: other },
    tested: { ...tested, input: other },
  };
}

/** Another body for the same request_id; undefined for requests whose only field is the namespace. */
function altered(input: OperationInput): OperationInput | undefined {
  switch (input.op) {
    case "create":
      return {
        ...input,
        drafts: input.drafts.map((draft) => ({ ...draft, text: `${draft.text}, altered` })),
      };
    case "update":
      return { ...input, patch: { ...input.patch, text: "altered" }, fields: ["text"] };
    case "restore":
      return { ...input, revision: input.revision + 1 };
    case "delete":
      return { ...input, id: input.id === "m0" ? "m1" : "m0" };
    case "purge":
      return { ...input, filter: { ...input.filter, userId: "altered" } };
    case "storeEntry":
      return { ...input, response: "altered" };
    case "invalidate":
      return { ...input, tagsAny: ["altered"] };
    case "updatePolicy":
      return { ...input, guard: input.guard === "strict" ? "closed" : "strict" };
    case "deleteEntry":
      return { ...input, scope: { ...input.scope, model: "altered" } };
    default:
      return undefined;
  }
}

async function expectation(context: NaiveContext, call: Call): Promise<Expected> {
  const { input } = call;
  const least = await liveCounts(context, input.at);
  const scope = { tenant: context.tenantOf(input.at.tenant), namespace: input.at.namespace };
  const held = await context.stores.namespaces.counts(scope);
  try {
    const answer = await naiveAnswer(context, call);
    if (answer.kind === "counts") return { kind: "counts", least, most: held };
    if (answer.kind !== "search") return answer;
    const comparable = comparableRanking(answer.ranked ?? [], held.memories > least.memories);
    const limit = input.op === "search" ? input.limit : 0;
    return { kind: "search", ranked: answer.found, limit, comparable };
  } catch (error) {
    if (!(error instanceof RecollectError)) throw error;
    return { kind: "refused", reason: error.reason };
  }
}

/** A namespace that was deleted before is answered as it was then, whatever had been swept of it by then. */
function isSameDeletion(before: Answer, answer: Answer): boolean {
  return (
    before.kind === "counts" &&
    answer.kind === "counts" &&
    before.memories === answer.memories &&
    before.cacheEntries === answer.cacheEntries
  );
}

function count(counts: RunCounts, operation: Operation, expected: Expected): void {
  if (expected.kind === "refused") counts.refused += 1;
  if (operation.op === "again") counts.replayed += 1;
  if (operation.op === "restore" && expected.kind === "plain") counts.restored += 1;
  if (operation.op === "create" && expected.kind === "plain") {
    const detail = [expected.value].flat() as readonly object[];
    counts.duplicates += detail.filter((one) => "duplicate" in one).length;
  }
  if (expected.kind === "plain" && Array.isArray(expected.value)) {
    if (operation.op === "import")
      counts.imported += (expected.value as readonly ImportStep[]).at(-1)?.imported ?? 0;
    if (operation.op === "changes") counts.changes += expected.value.length;
    if (operation.op === "export") counts.exported += expected.value.length;
    if (operation.op === "revisions") counts.revisions += expected.value.flat().length;
  }
  if (expected.kind !== "search" || expected.ranked.length < 2) return;
  counts.rankings += 1;
  if (expected.comparable) counts.comparableRankings += 1;
}

/** The same calls of the ports of any stores. */
export function testedPorts(
  opened: { readonly stores: () => Stores; readonly restart: () => Promise<void> },
  options: RunOptions,
): Tested {
  const context = (now: number): NaiveContext => ({ ...options, stores: opened.stores(), now });
  return {
    answer: async (call, now) => {
      try {
        const answer = await naiveAnswer(context(now), call);
        if (answer.kind !== "search" || call.input.op !== "search") return answer;
        const found = answer.found.slice(0, call.input.limit);
        countFound(context(now), call.input, found);
        return { kind: "search", found };
      } catch (error) {
        if (!(error instanceof RecollectError)) throw error;
        return { kind: "refused", reason: error.reason };
      }
    },
    etagOf: (input, now) => currentEtag(context(now), input),
    restart: opened.restart,
  };
}
