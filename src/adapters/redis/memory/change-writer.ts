import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { MemoryChanges } from "../../../ports/compaction/compaction-store.ts";
import { rows } from "../connection/script.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { feedInput } from "./changes.ts";
import { MEMORY_FIELDS, memoryInput, ofThisModel, PUT_FIELDS, pendingState, putInput } from "./rows.ts";
import type { MemoryWritesOptions } from "./writer.ts";

/** The arguments of a script that makes MemoryChanges. `generation` is empty when nothing is created. */
export const CHANGES = [
  "generation",
  rows("expected", ["id", "etag"]),
  rows("puts", PUT_FIELDS),
  rows("creates", MEMORY_FIELDS),
  rows("removes", ["id"]),
] as const;

/** See MemoryWritesOptions. */
export type MemoryChangeWriterOptions = Omit<MemoryWritesOptions, "reads">;

/** What a script that makes MemoryChanges is sent, and what follows from it in this process. */
export class MemoryChangeWriter {
  readonly #options: MemoryChangeWriterOptions;

  constructor(options: MemoryChangeWriterOptions) {
    this.#options = options;
  }

  get model(): VectorModel {
    return this.#options.model;
  }

  /** Call before the script is sent. */
  async prepare(scope: NamespaceKey, { create }: MemoryChanges): Promise<void> {
    await this.#options.accesses.settle(
      scope,
      create.map(({ memory }) => memory.id),
    );
  }

  /** The arguments CHANGES. */
  input({ namespaceId }: NamespaceRedisKeys, { expected, put, create, remove }: MemoryChanges, now: number) {
    const { model, pack, maxRevisions, feedLimits } = this.#options;
    return {
      ...feedInput(feedLimits),
      maxRevisions,
      generation: create.length === 0 ? "" : model.generation,
      expected: expected.map(({ id, etag }) => ({ id, etag })),
      puts: put.map((memory) => putInput(namespaceId, memory, { pack, now })),
      creates: create.map((item) => memoryInput(namespaceId, ofThisModel(item, model), pack)),
      removes: remove.map((id) => ({ id })),
    };
  }

  /** Call when the changes have been made. */
  written(scope: NamespaceKey, { put, create, remove }: MemoryChanges, now: number): void {
    const { model, accesses, onWritten } = this.#options;
    accesses.discard(scope, remove);
    const isPending =
      create.some((item) => pendingState(ofThisModel(item, model)) !== "") ||
      // A vector that is being computed belongs to the previous etag.
      put.some(({ embedding }) => embedding.state === "PENDING");
    onWritten(scope, { now, isPending });
  }
}
