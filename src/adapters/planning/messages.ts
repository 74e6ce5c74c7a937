import type { Memory } from "../../domain/memory/memory.ts";
import type { PlannedPage, PlanRules } from "../../ports/compaction/planner.ts";

/** What the planning thread is sent. A plan gets its memories before, in pages. */
export type Question =
  | { readonly kind: "page"; readonly page: PlannedPage }
  | { readonly kind: "plan"; readonly rules: PlanRules }
  | { readonly kind: "check"; readonly answer: string; readonly sources: readonly Memory[] }
  | { readonly kind: "extract"; readonly sources: readonly Memory[] };

/** What it answers, to each question but `page`. */
export type Answer = { readonly result: unknown } | { readonly error: unknown };
