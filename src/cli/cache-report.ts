import { toJson } from "@bufbuild/protobuf";
import {
  ReportCacheOutcomeRequest_Outcome as Outcome,
  ReportCacheOutcomeResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

export type ReportedOutcome = "correct" | "incorrect" | "stale";

const OUTCOMES: Readonly<Record<ReportedOutcome, Outcome>> = {
  correct: Outcome.CORRECT,
  incorrect: Outcome.INCORRECT,
  stale: Outcome.STALE,
};

/** Reports whether a served answer was right. */
export async function cacheReport(
  decisionId: string,
  outcome: ReportedOutcome,
  options: GlobalOptions,
): Promise<ExitCode> {
  const response = await connect(options).cache.reportCacheOutcome({
    namespace: options.namespace,
    decisionId,
    outcome: OUTCOMES[outcome],
  });
  if (options.json) {
    print(JSON.stringify(toJson(ReportCacheOutcomeResponseSchema, response, { alwaysEmitImplicit: true })));
  } else {
    print(response.applied ? "reported" : "counted; the answer is not stored any more");
  }
  return EXIT_CODE.ok;
}
