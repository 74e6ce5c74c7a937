import type { DescMethod } from "@bufbuild/protobuf";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../../domain/errors.ts";
import type { Call, Middleware } from "../pipeline.ts";
import type { Authenticator } from "./authentication.ts";
import { authorize } from "./authorization.ts";

/** RetryInfo: watches last. */
const RETRY_AFTER_MS = 10_000;

/** Whether it is a stream without an end of its own: it takes no slot of admission, see Watches. */
export function isWatch(method: DescMethod): boolean {
  return method === MemoryService.method.watchMemories || method === CompactionService.method.watchCompaction;
}

/**
 * The open watches. Limits those of each tenant, refuses further ones with TOO_MANY_WATCHES, and ends them when the reason to
 * serve them ends.
 */
export class Watches {
  /** Comes after authorization. */
  readonly middleware: Middleware;
  readonly #authenticate: Authenticator;
  readonly #limit: number;
  readonly #byTenant = new Map<string, Set<Call>>();

  constructor({ maxWatches }: { readonly maxWatches: number }, authenticate: Authenticator) {
    this.#limit = maxWatches;
    this.#authenticate = authenticate;
    this.middleware = {
      name: "watches",
      begin: (call) => {
        if (isWatch(call.method)) this.#begin(call);
      },
      end: (call) => {
        if (isWatch(call.method)) this.#end(call);
      },
    };
  }

  /** Ends all with this error. */
  endAll(reason: RecollectError): void {
    for (const call of this.#open()) call.cut?.(reason);
  }

  /** Call when credentials have changed: ends the watches whose callers may not watch any more. */
  checkAgain(): void {
    for (const call of this.#open()) {
      const refusal = this.#refusalOf(call);
      if (refusal !== undefined) call.cut?.(refusal);
    }
  }

  #begin(call: Call): void {
    if (call.caller === undefined) throw new TypeError("watches before authentication");
    const { tenant } = call.caller;
    const own = this.#byTenant.get(tenant) ?? new Set();
    if (own.size >= this.#limit) throw tooManyWatches(this.#limit);
    this.#byTenant.set(tenant, own.add(call));
  }

  #end(call: Call): void {
    const tenant = call.caller?.tenant ?? "";
    const own = this.#byTenant.get(tenant);
    own?.delete(call);
    if (own?.size === 0) this.#byTenant.delete(tenant);
  }

  #open(): Call[] {
    return [...this.#byTenant.values()].flatMap((calls) => [...calls]);
  }

  #refusalOf(call: Call): RecollectError | undefined {
    try {
      const caller = this.#authenticate(call);
      authorize(caller, call.method);
      if (caller.tenant === call.caller?.tenant) return undefined;
      return new RecollectError("CREDENTIAL_INVALID", "the API key belongs to another tenant now");
    } catch (error) {
      if (error instanceof RecollectError) return error;
      throw error;
    }
  }
}

function tooManyWatches(limit: number): RecollectError {
  return new RecollectError("TOO_MANY_WATCHES", `the tenant has ${limit} watches open, which is the limit`, {
    metadata: { limit: String(limit) },
    retryAfterMs: RETRY_AFTER_MS,
  });
}
