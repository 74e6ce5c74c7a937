import { describe, expect, it } from "vitest";
import { ModelChanged } from "../../../domain/embedding/identity.ts";
import { RecollectError } from "../../../domain/errors.ts";
import { MODEL_CHANGED } from "../namespaces/namespace-script.ts";
import { unlessModelChanged, withCurrentModel } from "./model-retry.ts";

/** A model whose generation is the next one each time that it is read again; or always the same. */
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
  it("is made once where the model is the same", async () => {
    const model = modelOf({ changes: true });
    const { attempt, attempts } = attempting(model, 0);
    expect(await withCurrentModel(model, attempt)).toBe(1);
    expect(attempts).toEqual([1]);
  });

  it("is made anew with the generation that the store has by now", async () => {
    const model = modelOf({ changes: true });
    const { attempt, attempts } = attempting(model, 2);
    expect(await withCurrentModel(model, attempt)).toBe(3);
    expect(attempts).toEqual([1, 2, 3]);
  });

  it("ends after five attempts", async () => {
    for (const changes of [true, false]) {
      const model = modelOf({ changes });
      const { attempt, attempts } = attempting(model, Number.POSITIVE_INFINITY);
      await expect(withCurrentModel(model, attempt)).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
      expect(attempts).toHaveLength(5);
    }
  });

  it("ends with the error of the caller, where that has one", async () => {
    const model = modelOf({ changes: true });
    const { attempt } = attempting(model, Number.POSITIVE_INFINITY);
    const failure = () => new ModelChanged();
    await expect(withCurrentModel(model, attempt, { failure })).rejects.toThrow(ModelChanged);
  });

  it("is given up for something else where a partition is behind", async () => {
    const model = modelOf({ changes: false });
    const { attempt, attempts } = attempting(model, 1);
    expect(await withCurrentModel(model, attempt, { behind: () => -1 })).toBe(-1);
    expect(attempts).toEqual([1]);
  });
});

describe("a question to an index", () => {
  const unknownField = async (): Promise<never> => {
    throw new Error("Unknown field v1");
  };

  it("that fails because of a change of the model says so", async () => {
    expect(await unlessModelChanged(modelOf({ changes: true }), unknownField)).toBe(MODEL_CHANGED);
    await expect(unlessModelChanged(modelOf({ changes: false }), unknownField)).rejects.toThrow("v1");
  });

  it("that fails because the store is away fails with that", async () => {
    const away = new RecollectError("STORE_UNAVAILABLE", "away");
    const ask = () => Promise.reject(away);
    await expect(unlessModelChanged(modelOf({ changes: true }), ask)).rejects.toBe(away);
  });
});
