import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";

/** The machine-readable parts of an error. */
export interface Refusal {
  readonly code: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
}

/** Resolves with the refusal of a call. Fails when the call succeeds, or rejects with another error. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    return toRefusal(error);
  }
  throw new Error("the call was expected to be refused, and succeeded");
}

export function toRefusal(error: unknown): Refusal {
  if (!(error instanceof ConnectError)) throw error;
  const [info] = error.findDetails(ErrorInfoSchema);
  const [badRequest] = error.findDetails(BadRequestSchema);
  return {
    code: Code[error.code],
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    fields: badRequest?.fieldViolations.map(({ field }) => field) ?? [],
  };
}
