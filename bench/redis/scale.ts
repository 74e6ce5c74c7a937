import { create } from "@bufbuild/protobuf";
import {
  BatchCreateMemoriesRequestSchema,
  SearchMemoriesRequest_Mode as Mode,
} from "#gen/recollect/v1/memory_pb.js";
import { type Case, casesOf, search } from "../cases.ts";
import { BATCH_SIZE, cachedQuestions, extraBatches, memoryBatches, searchTexts } from "../data.ts";
import { fillMemories } from "../fill.ts";
import { measureCases, openStage, type StoreOptions, type StoreResult, usedBytes } from "./store.ts";

export const SCALE = { memories: 100_000, namespaces: 10_000, inEach: 10 } as const;
/** Number of searched namespaces, round robin. */
const SEARCHED = 64;

/** Measures latency and memory with one large namespace, then with many small namespaces in addition. */
export async function measureScale(
  options: Omit<StoreOptions, "memories"> & { readonly scale?: typeof SCALE },
): Promise<StoreResult[]> {
  const { dimension, say, scale = SCALE } = options;
  await using opened = await openStage(options);
  const { stage, version } = opened;
  const batches = memoryBatches(scale.memories);
  const empty = await usedBytes(stage);
  const fill = async (work: () => Promise<void>): Promise<number> => {
    const begin = performance.now();
    await work();
    return (performance.now() - begin) / 1000;
  };
  const result = async (title: string, memories: number, fillSeconds: number, cases: readonly Case[]) => {
    const redisBytes = (await usedBytes(stage)) - empty;
    say(`${title}: stored in ${fillSeconds.toFixed(1)} s, ${(redisBytes / 2 ** 20).toFixed(0)} MiB`);
    const measured = await measureCases(stage, cases, options);
    return { title, memories, dimension, fillSeconds, redisBytes, redisVersion: version, cases: measured };
  };

  const largeSeconds = await fill(() => fillMemories(stage.caller, batches));
  const runs = { full: 1, single: 1, batchCalls: { calls: 1, single: 1 } };
  const searches = casesOf(batches, cachedQuestions(SEARCHED), runs).filter(({ name }) =>
    name.startsWith("search"),
  );
  const large = await result(
    `${scale.memories} memories in one namespace`,
    scale.memories,
    largeSeconds,
    searches,
  );

  const all = extraBatches((scale.namespaces * scale.inEach) / BATCH_SIZE).flatMap(
    ({ memories }) => memories,
  );
  const small = Array.from({ length: scale.namespaces }, (_, at) =>
    create(BatchCreateMemoriesRequestSchema, {
      namespace: `small-${at}`,
      memories: all.slice(at * scale.inEach, (at + 1) * scale.inEach),
    }),
  );
  const smallSeconds = await fill(() => fillMemories(stage.caller, small));
  const title = `${scale.namespaces} namespaces of ${scale.inEach}, beside the one of ${scale.memories}`;
  const asked = small.slice(0, SEARCHED).map((batch) => {
    const [text = ""] = searchTexts([batch], 1);
    return { namespace: batch.namespace, text };
  });
  const cases = [search("search HYBRID", asked, Mode.HYBRID), search("search VECTOR", asked, Mode.VECTOR)];
  return [large, await result(title, scale.memories + all.length, smallSeconds, cases)];
}
