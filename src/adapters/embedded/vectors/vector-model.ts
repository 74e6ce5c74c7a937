import { ModelChanged, sameModel } from "../../../domain/embedding/identity.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";

/** A model, and how often it was changed before. */
export interface ModelGeneration {
  /** Undefined: vector search is switched off. */
  readonly identity: EmbedderIdentity | undefined;
  /** Rises with each change of the model. */
  readonly generation: number;
}

/**
 * Of which model the vectors of this file are. Everything that compares or keeps vectors asks here first, so that
 * vectors of two models never meet. A change holds for the writes behind it in the same transaction at once, and for
 * reads, all of them in one moment, when it is on disk.
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

  /** What a write belongs to; only inside a write. */
  get written(): ModelGeneration {
    return this.#written;
  }

  /** Whether a vector of this model may be kept; only inside a write. Undefined: nobody says whose it is. */
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

  /** All who keep vectors hear of it before anything else can run. */
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
