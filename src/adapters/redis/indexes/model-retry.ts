import { RecollectError } from "../../../domain/errors.ts";
import { unavailable } from "../connection/errors.ts";
import { MODEL_CHANGED } from "../namespaces/namespace-script.ts";
import type { VectorModel } from "./vector-model.ts";

/** Several changes may follow each other, and one comes to one partition after the other. */
const MAX_ATTEMPTS = 5;

type Model = Pick<VectorModel, "generation" | "hasChangedSince">;

type Unchanged<Output> = Exclude<Output, typeof MODEL_CHANGED>;

export interface ModelRetryOptions<Output> {
  /**
   * What to do where the store says that the model has changed, and the first partition says that it has not: a change
   * has not come to all partitions yet. Default: the next attempt.
   */
  readonly behind?: () => Unchanged<Output> | Promise<Unchanged<Output>>;
  /** After the last attempt. Default: STORE_UNAVAILABLE. */
  readonly failure?: () => Error;
}

/**
 * Makes an attempt that depends on the generation of the model, and makes it anew with the generation that the store
 * has by now when it resolves with MODEL_CHANGED: five times at most.
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
 * Asks an index, and resolves with MODEL_CHANGED when it fails because of a change of the model: an index says that it
 * does not know a field, where that is of a generation that it has no longer or not yet.
 */
export async function unlessModelChanged<Output>(
  model: Model,
  ask: () => Promise<Output>,
): Promise<Output | typeof MODEL_CHANGED> {
  const { generation } = model;
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RecollectError || !(await model.hasChangedSince(generation))) throw error;
    return MODEL_CHANGED;
  }
}

function modelIsChanging(): RecollectError {
  return unavailable("the model of the vectors is being changed");
}
