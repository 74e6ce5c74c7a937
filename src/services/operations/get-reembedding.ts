import { RecollectError } from "../../domain/errors.ts";
import type { Reembedding, ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";

/** The latest re-embedding, if it has this id. Rejects with REEMBEDDING_NOT_FOUND. */
export async function getReembedding(
  ports: { readonly reembedding: Pick<ReembeddingStore, "latest"> },
  { id }: { readonly id: string },
): Promise<Reembedding> {
  const latest = await ports.reembedding.latest();
  if (latest?.id === id) return latest;
  throw new RecollectError("REEMBEDDING_NOT_FOUND", `no re-embedding ${id}, or a later one has replaced it`, {
    metadata: { id },
    resource: { type: "reembedding", name: id },
  });
}
