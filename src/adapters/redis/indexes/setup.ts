import { type FoundationOptions, openFoundation } from "./foundation.ts";
import { openIndexes, readIndex, wantedIndexes, wantedVector } from "./schema.ts";

/** An existing index, verified and complete. */
export interface SetUpIndex {
  readonly name: string;
  readonly documents: number;
}

/**
 * Creates and verifies what the user of a server may not create in Redis, and waits until the indexes are complete.
 * Existing indexes stay unchanged. Rejects as a start of the server does.
 */
export async function setUp(options: FoundationOptions): Promise<readonly SetUpIndex[]> {
  await using foundation = await openFoundation(options);
  const { client, keys, model } = foundation;
  const { indexes: names, vectors } = options;
  const { identity, generation } = model;
  await openIndexes(client, keys, { names, vectors, identity, generation });
  const all = keys
    .all()
    .flatMap((partition) => wantedIndexes(names, keys, partition, wantedVector(model, vectors)));
  // Awaited here: the connection is closed behind it.
  return await Promise.all(
    all.map(async ({ alias }) => ({
      name: alias,
      documents: (await readIndex(client, alias))?.documents ?? 0,
    })),
  );
}
