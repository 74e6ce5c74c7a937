import { create, fromBinary } from "@bufbuild/protobuf";
import { MemoryService, SearchMemoriesRequestSchema } from "#gen/recollect/v1/memory_pb.js";
import { formatPlan } from "../src/cli/format-plan.ts";
import { type Caller, pathOf } from "./caller.ts";
import type { Case } from "./cases.ts";

/**
 * The plan of the longest request of a search, in one line; undefined for other cases. Call it after the requests were
 * answered once, because plans depend on counts that are collected then.
 */
export async function planOf(caller: Caller, { path, requests }: Case): Promise<string | undefined> {
  const [longest] = requests.toSorted((a, b) => b.length - a.length);
  if (path !== pathOf(MemoryService.method.searchMemories) || longest === undefined) return undefined;
  const asked = { ...fromBinary(SearchMemoriesRequestSchema, longest), explain: true };
  const { plan } = await caller.call(
    MemoryService.method.searchMemories,
    create(SearchMemoriesRequestSchema, asked),
  );
  return plan && formatPlan(plan);
}

/** The section of a report on plans; empty without plans. */
export function planParts(cases: readonly { readonly name: string; readonly plan?: string }[]): string[] {
  const lines = cases.flatMap(({ name, plan }) => (plan === undefined ? [] : [`- ${name}: ${plan}`]));
  return lines.length === 0
    ? []
    : ["How the longest request of each search is carried out:", lines.join("\n")];
}
