import { RecollectError } from "../../../domain/errors.ts";
import { unavailable } from "../connection/errors.ts";
import { MODEL_CHANGED } from "../namespaces/namespace-script.ts";
import type { VectorModel } from "./vector-model.ts";

/** Several changes may follow each other, and each reaches one partition after the other. */
const MAX_ATTEMPTS = 5;

type Model = Pick<VectorModel, "generation" | "hasChangedSince">;

type Unchanged<Output> = Exclude<Output, typeof MODEL_CHANGED>;

export interface ModelRetryOptions<Output> {
  /**
   * Called when a partition reports another model and the first partition does not: a change has not reached all
   * partitions yet. Default: retry.
   */
  readonly behind?: () => Unchanged<Output> | Promise<Unchanged<Output>>;
  /** The error after the last retry. Default: STORE_UNAVAILABLE. */
  readonly failure?: () => Error;
}

/**
 * Runs `attempt`, which depends on the generation of the model. When it resolves with MODEL_CHANGED, it is retried with
 * the current generation of the store, up to five times in all.
 */
export async function withCurrentModel<Output>(
  model: Model,
  attempt: () => Promise<Output>,
  { behind, failure = modelIsChanging }: ModelRetryOptions<Output> = {},
): Promise<Unchanged<Output>> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
    const { generation } = model;
    const output = await attempt();
    if (output !== MODEL_CHANGED) return output as Unchanged<Output>;
    const hasChanged = await model.hasChangedSince(generation);
    if (!hasChanged && behind !== undefined) return behind();
  }
  throw failure();
}

/**
 * Queries an index, and resolves with MODEL_CHANGED when the query fails because the model has changed: an index reports
 * an unknown field for a generation that it no longer has or does not have yet.
 */
export async function unlessModelChanged<Output>(
  model: Model,
  query: () => Promise<Output>,
): Promise<Output | typeof MODEL_CHANGED> {
  const { generation } = model;
  try {
    return await query();
  } catch (error) {
    if (error instanceof RecollectError || !(await model.hasChangedSince(generation))) throw error;
    return MODEL_CHANGED;
  }
}

function modelIsChanging(): RecollectError {
  return unavailable("the model of the vectors is being changed");
}
