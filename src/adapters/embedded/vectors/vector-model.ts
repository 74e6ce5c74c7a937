import { ModelChanged, sameModel } from "../../../domain/embedding/identity.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";

/** A model and its generation. */
export interface ModelGeneration {
  /** Undefined: vector search is switched off. */
  readonly identity: EmbedderIdentity | undefined;
  /** Increases with each change of the model. */
  readonly generation: number;
}

/**
 * The model of the vectors in this file. Code that compares or stores vectors checks it first, so that vectors of two
 * models are never compared. Later writes of the same transaction see a change at once; reads see it, all at the same
 * moment, when it is on disk.
 */
export class VectorModel {
  #read: ModelGeneration;
  #written: ModelGeneration;
  readonly #listeners: (() => void)[] = [];

  constructor(identity: EmbedderIdentity | undefined, generation: number) {
    this.#read = { identity, generation };
    this.#written = this.#read;
  }

  /** Undefined: vector search is switched off. */
  get identity(): EmbedderIdentity | undefined {
    return this.#read.identity;
  }

  get generation(): number {
    return this.#read.generation;
  }

  /** Numbers in a vector; 0 when vector search is switched off. */
  get dimension(): number {
    return this.#read.identity?.dimension ?? 0;
  }

  /** The generation that a write belongs to; only inside a write. */
  get written(): ModelGeneration {
    return this.#written;
  }

  /** Whether a vector of this model may be stored; only inside a write. Undefined: its model is not known. */
  takes(identity: EmbedderIdentity | undefined): boolean {
    return isOf(identity, this.#written);
  }

  /** Throws ModelChanged for a vector of another model than those that are compared. */
  check(identity: EmbedderIdentity | undefined): void {
    if (!isOf(identity, this.#read)) throw new ModelChanged();
  }

  /** Only inside a write; `change` follows when it is on disk, or `undo` when it has failed. */
  announce(next: ModelGeneration): void {
    this.#written = next;
  }

  /** Listeners run synchronously, before any other read or write. */
  change(): void {
    this.#read = this.#written;
    for (const listener of this.#listeners) listener();
  }

  undo(): void {
    this.#written = this.#read;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

function isOf(vector: EmbedderIdentity | undefined, { identity }: ModelGeneration): boolean {
  return vector === undefined || identity === undefined || sameModel(vector, identity);
}
