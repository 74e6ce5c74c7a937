import { HASHING_MODEL, isBuiltIn, LOCAL_MODEL } from "../../domain/embedding/built-in-models.ts";
import { invalidField, RecollectError } from "../../domain/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbedderIdentity } from "../../ports/embedding/embedder.ts";
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

/**
 * Starts to change all vectors to another model of the same provider, or from one that is built in to another. Rejects with REEMBEDDING_CONFLICT.
 */
export async function startReembedding(
  ports: StartReembeddingPorts,
  input: StartReembeddingInput,
  context: CallContext,
): Promise<Reembedding> {
  const current = ports.reembedding.identity();
  if (current === undefined || ports.runner === undefined) {
    throw new RecollectError("VECTOR_SEARCH_DISABLED", "vector search is switched off on this server");
  }
  const target = targetOf(current, input);
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

/** Throws INVALID_ARGUMENT when there is no such model, or none of that dimension. */
function targetOf(current: EmbedderIdentity, input: StartReembeddingInput): EmbedderIdentity {
  const model = input.model === "" ? current.model : input.model;
  if (!isBuiltIn(current.provider)) {
    return { provider: current.provider, model, dimension: input.dimension || current.dimension };
  }
  if (model === LOCAL_MODEL.model) {
    if (input.dimension !== 0 && input.dimension !== LOCAL_MODEL.dimension) {
      throw invalidField("dimension", `vectors of ${model} have ${LOCAL_MODEL.dimension} numbers`);
    }
    return LOCAL_MODEL;
  }
  if (model === HASHING_MODEL.model) {
    return { ...HASHING_MODEL, dimension: input.dimension || current.dimension };
  }
  throw invalidField("model", `built in are ${HASHING_MODEL.model} and ${LOCAL_MODEL.model}`);
}
