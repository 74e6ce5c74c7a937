import type { EmbeddedText } from "../../ports/embedding/embedder.ts";

/** With the model that made it. */
export type MadeVector = Pick<EmbeddedText, "vector" | "identity">;

/**
 * The vector of a question that was asked before and had no answer of its own: it will be needed again. Held weakly, so
 * it lasts as long as the embedder remembers it, which bounds what all questions together take.
 */
export class QuestionVector {
  #vector: WeakRef<Float32Array> | undefined;
  #identity: EmbeddedText["identity"];

  get(): MadeVector | undefined {
    const vector = this.#vector?.deref();
    if (vector === undefined) return undefined;
    return this.#identity === undefined ? { vector } : { vector, identity: this.#identity };
  }

  remember({ vector, identity }: MadeVector): void {
    if (this.#vector?.deref() !== vector) this.#vector = new WeakRef(vector);
    this.#identity = identity;
  }

  forget(): void {
    this.#vector = undefined;
  }
}
