import { invalidField, RecollectError } from "../../domain/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Reembedding, ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";
import type { Ids } from "../../ports/ids.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import type { ReembeddingRunner } from "../embedding/reembedding-runner.ts";

export interface StartReembeddingPorts {
  readonly reembedding: Pick<ReembeddingStore, "identity" | "start">;
  /** Undefined: vector search is switched off. */
  readonly runner: Pick<ReembeddingRunner, "run"> | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
}

export interface StartReembeddingInput {
  /** Empty: unchanged. */
  readonly model: string;
  /** 0: unchanged. */
  readonly dimension: number;
  readonly requestId?: string;
}

/** Starts to change all vectors to another model of the same provider. Rejects with REEMBEDDING_CONFLICT. */
export async function startReembedding(
  ports: StartReembeddingPorts,
  input: StartReembeddingInput,
  context: CallContext,
): Promise<Reembedding> {
  const current = ports.reembedding.identity();
  if (current === undefined || ports.runner === undefined) {
    throw new RecollectError("VECTOR_SEARCH_DISABLED", "vector search is switched off on this server");
  }
  const target = {
    provider: current.provider,
    model: input.model === "" ? current.model : input.model,
    dimension: input.dimension === 0 ? current.dimension : input.dimension,
  };
  if (target.provider === "hashing" && target.model !== current.model) {
    throw invalidField("model", `the provider hashing has the model ${current.model} alone`);
  }
  const now = ports.clock.now();
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "StartReembedding", requestId, body, now);
  const started = await ports.reembedding.start({
    id: ports.ids.next(now),
    target,
    now,
    ...(request === undefined ? {} : { request }),
  });
  if (started.state === "RUNNING") ports.runner.run();
  return started;
}
