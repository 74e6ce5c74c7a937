import { describe, expect, it } from "vitest";
import { ModelChanged } from "../../../domain/embedding/identity.ts";
import { RecollectError } from "../../../domain/errors.ts";
import { MODEL_CHANGED } from "../namespaces/namespace-script.ts";
import { unlessModelChanged, withCurrentModel } from "./model-retry.ts";

/** A model whose generation increases each time that it is refreshed; or always stays the same. */
function modelOf({ changes }: { readonly changes: boolean }) {
  let generation = 1;
  return {
    get generation() {
      return generation;
    },
    hasChangedSince: async (known: number) => {
      if (changes) generation += 1;
      return generation !== known;
    },
  };
}

/** Resolves with MODEL_CHANGED so often, then with the generation. */
function attempting(model: { readonly generation: number }, failures: number) {
  const attempts: number[] = [];
  const attempt = async (): Promise<number | typeof MODEL_CHANGED> => {
    attempts.push(model.generation);
    return attempts.length <= failures ? MODEL_CHANGED : model.generation;
  };
  return { attempt, attempts };
}

describe("an attempt that depends on the model", () => {
  it("runs once when the model is the same", async () => {
    const model = modelOf({ changes: true });
    const { attempt, attempts } = attempting(model, 0);
    expect(await withCurrentModel(model, attempt)).toBe(1);
    expect(attempts).toEqual([1]);
  });

  it("is retried with the current generation of the store", async () => {
    const model = modelOf({ changes: true });
    const { attempt, attempts } = attempting(model, 2);
    expect(await withCurrentModel(model, attempt)).toBe(3);
    expect(attempts).toEqual([1, 2, 3]);
  });

  it("rejects after five attempts", async () => {
    for (const changes of [true, false]) {
      const model = modelOf({ changes });
      const { attempt, attempts } = attempting(model, Number.POSITIVE_INFINITY);
      await expect(withCurrentModel(model, attempt)).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
      expect(attempts).toHaveLength(5);
    }
  });

  it("rejects with the error of the caller, if it has one", async () => {
    const model = modelOf({ changes: true });
    const { attempt } = attempting(model, Number.POSITIVE_INFINITY);
    const failure = () => new ModelChanged();
    await expect(withCurrentModel(model, attempt, { failure })).rejects.toThrow(ModelChanged);
  });

  it("uses the alternative where a partition is behind", async () => {
    const model = modelOf({ changes: false });
    const { attempt, attempts } = attempting(model, 1);
    expect(await withCurrentModel(model, attempt, { behind: () => -1 })).toBe(-1);
    expect(attempts).toEqual([1]);
  });
});

describe("a query to an index", () => {
  const unknownField = async (): Promise<never> => {
    throw new Error("Unknown field v1");
  };

  it("resolves with MODEL_CHANGED when it fails because the model has changed", async () => {
    expect(await unlessModelChanged(modelOf({ changes: true }), unknownField)).toBe(MODEL_CHANGED);
    await expect(unlessModelChanged(modelOf({ changes: false }), unknownField)).rejects.toThrow("v1");
  });

  it("rejects with the error of an unavailable store", async () => {
    const away = new RecollectError("STORE_UNAVAILABLE", "away");
    const ask = () => Promise.reject(away);
    await expect(unlessModelChanged(modelOf({ changes: true }), ask)).rejects.toBe(away);
  });
});
