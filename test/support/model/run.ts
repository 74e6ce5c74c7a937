import { RecollectError } from "../../../src/domain/errors.ts";
import type { Embedder } from "../../../src/ports/embedding/embedder.ts";
import { NOW } from "../builders.ts";
import { referenceStores, type Stores } from "../reference/backend.ts";
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
import type { Asked, Operation } from "./operations.ts";

/** What is held against the reference: a store through its ports, or a server over gRPC. */
export interface Tested {
  answer(call: Call, now: number): Promise<Answer>;
  /** The etag of what this is about, read a moment before; empty when there is nothing. */
  etagOf(asked: Asked, now: number): Promise<string>;
  restart(): Promise<void>;
}

export interface RunOptions {
  readonly embedder: Embedder;
  readonly cache: NaiveContext["cache"];
  readonly tenantOf: NaiveContext["tenantOf"];
}

/** How much a run has compared, so that a test can see that it compared something. */
export interface RunTally {
  operations: number;
  refused: number;
  repeated: number;
  /** Memories that were there already, and came back for another. */
  duplicates: number;
  rankings: number;
  comparableRankings: number;
  /** Memories that imports stored. */
  imported: number;
  /** Memories that exports gave. */
  exported: number;
}

export function newTally(): RunTally {
  return {
    operations: 0,
    refused: 0,
    repeated: 0,
    duplicates: 0,
    rankings: 0,
    comparableRankings: 0,
    imported: 0,
    exported: 0,
  };
}

interface Past {
  readonly asked: Asked;
  readonly reference: Call;
  readonly tested: Call;
  readonly answer: Answer;
}

/** Does the operations to both, one after the other, and fails at the first answer that differs. */
export async function runOperations(
  operations: readonly Operation[],
  tested: Tested,
  options: RunOptions,
  tally: RunTally,
): Promise<void> {
  const stores = referenceStores();
  const past: Past[] = [];
  let now = NOW;
  for (const [index, operation] of operations.entries()) {
    // No two operations at the same moment: what is older, or was used longer ago, is then never in doubt.
    now += 1;
    tally.operations += 1;
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
    const { asked, reference } = calls;
    const expected = await expectation(context, reference);
    const answer = await tested.answer(calls.tested, now);
    try {
      if (!(calls.before !== undefined && isSameDeletion(calls.before, answer))) expectSame(answer, expected);
    } catch (error) {
      const told = JSON.stringify({ index, asked, answer, expected }, null, 2);
      throw new Error(`operation ${index} (${asked.op}) answers otherwise than the reference:\n${told}`, {
        cause: error,
      });
    }
    if (answer.kind === "search") countFound(context, asked, answer.found);
    count(tally, operation, expected);
    if (operation.op !== "again" && reference.requestId !== undefined) {
      past.push({ asked, reference, tested: calls.tested, answer });
    }
  }
}

interface Calls {
  readonly asked: Asked;
  readonly reference: Call;
  readonly tested: Call;
  /** What a repeat was answered the first time. */
  readonly before?: Answer;
}

async function firstCalls(
  asked: Asked,
  index: number,
  context: NaiveContext,
  tested: Tested,
): Promise<Calls> {
  const requestId = "request" in asked && asked.request ? { requestId: `r${index}` } : {};
  const wanted = "etag" in asked ? asked.etag : "none";
  const etags =
    wanted === "current"
      ? [await currentEtag(context, asked), await tested.etagOf(asked, context.now)]
      : wanted === "stale"
        ? ["stale", "stale"]
        : ["", ""];
  return {
    asked,
    reference: { asked, etag: etags[0] ?? "", ...requestId },
    tested: { asked, etag: etags[1] ?? "", ...requestId },
  };
}

function repeat(past: readonly Past[], again: Operation & { readonly op: "again" }): Calls | undefined {
  const one = past.at(-1 - again.back);
  if (one === undefined) return undefined;
  const { asked, reference, tested, answer } = one;
  const other = again.altered ? altered(asked) : undefined;
  if (other === undefined) return { asked, reference, tested, before: answer };
  return {
    asked: other,
    reference: { ...reference, asked: other },
    tested: { ...tested, asked: other },
  };
}

/** Another body for the same request_id; undefined where there is none, as the namespace is all there is to say. */
function altered(asked: Asked): Asked | undefined {
  switch (asked.op) {
    case "create":
      return {
        ...asked,
        drafts: asked.drafts.map((draft) => ({ ...draft, text: `${draft.text}, altered` })),
      };
    case "update":
      return { ...asked, patch: { ...asked.patch, text: "altered" }, fields: ["text"] };
    case "delete":
      return { ...asked, id: asked.id === "m0" ? "m1" : "m0" };
    case "purge":
      return { ...asked, filter: { ...asked.filter, userId: "altered" } };
    case "storeEntry":
      return { ...asked, response: "altered" };
    case "deleteEntry":
      return { ...asked, scope: { ...asked.scope, model: "altered" } };
    default:
      return undefined;
  }
}

async function expectation(context: NaiveContext, call: Call): Promise<Expected> {
  const { asked } = call;
  const least = await liveCounts(context, asked.at);
  const scope = { tenant: context.tenantOf(asked.at.tenant), namespace: asked.at.namespace };
  const held = await context.stores.namespaces.counts(scope);
  try {
    const answer = await naiveAnswer(context, call);
    if (answer.kind === "counts") return { kind: "counts", least, most: held };
    if (answer.kind !== "search") return answer;
    const comparable = comparableRanking(answer.ranked ?? [], held.memories > least.memories);
    const limit = asked.op === "search" ? asked.limit : 0;
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

function count(tally: RunTally, operation: Operation, expected: Expected): void {
  if (expected.kind === "refused") tally.refused += 1;
  if (operation.op === "again") tally.repeated += 1;
  if (operation.op === "create" && expected.kind === "plain") {
    const told = [expected.value].flat() as readonly object[];
    tally.duplicates += told.filter((one) => "duplicate" in one).length;
  }
  if (expected.kind === "plain" && Array.isArray(expected.value)) {
    if (operation.op === "import")
      tally.imported += (expected.value as readonly ImportStep[]).at(-1)?.imported ?? 0;
    if (operation.op === "export") tally.exported += expected.value.length;
  }
  if (expected.kind !== "search" || expected.ranked.length < 2) return;
  tally.rankings += 1;
  if (expected.comparable) tally.comparableRankings += 1;
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
        if (answer.kind !== "search" || call.asked.op !== "search") return answer;
        const found = answer.found.slice(0, call.asked.limit);
        countFound(context(now), call.asked, found);
        return { kind: "search", found };
      } catch (error) {
        if (!(error instanceof RecollectError)) throw error;
        return { kind: "refused", reason: error.reason };
      }
    },
    etagOf: (asked, now) => currentEtag(context(now), asked),
    restart: opened.restart,
  };
}
