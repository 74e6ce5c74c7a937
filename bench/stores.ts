import { create } from "@bufbuild/protobuf";
import {
  BatchCreateMemoriesRequestSchema,
  SearchMemoriesRequest_Mode as Mode,
} from "#gen/recollect/v1/memory_pb.js";
import type { Caller } from "./caller.ts";
import { type Case, casesOf, type Runs, search } from "./cases.ts";
import { BATCH_SIZE, cachedQuestions, extraBatches, memoryBatches, searchTexts } from "./data.ts";
import { fillCache, fillMemories } from "./fill.ts";

/** What a store holds when cases are measured. A second part is filled beside the first. */
export interface StorePart {
  readonly title: string;
  /** Memories of the store with this part. */
  readonly memories: number;
  readonly fill: (caller: Caller) => Promise<void>;
  readonly cases: (runs: Runs) => Case[];
}

const SCALE = { memories: 100_000, namespaces: 10_000, inEach: 10 } as const;
/** Number of searched namespaces, round robin. */
const SEARCHED = 64;

/** Memories in one namespace, and as many cached answers in one scope: the worst case of a semantic lookup. */
export function plainStore(memories: number): StorePart[] {
  const batches = memoryBatches(memories);
  const questions = cachedQuestions(memories);
  return [
    {
      title: `${memories} memories and as many answers`,
      memories,
      fill: async (caller) => {
        await fillMemories(caller, batches);
        await fillCache(caller, questions);
      },
      cases: (runs) => casesOf(batches, questions, runs),
    },
  ];
}

/** One large namespace, then many small ones beside it. */
export function scaleStore(scale: typeof SCALE = SCALE): StorePart[] {
  const batches = memoryBatches(scale.memories);
  const small = smallNamespaces(scale);
  const asked = small.slice(0, SEARCHED).map((batch) => {
    const [text = ""] = searchTexts([batch], 1);
    return { namespace: batch.namespace, text };
  });
  return [
    {
      title: `${scale.memories} memories in one namespace`,
      memories: scale.memories,
      fill: (caller) => fillMemories(caller, batches),
      cases: (runs) =>
        casesOf(batches, cachedQuestions(SEARCHED), runs).filter(({ name }) => name.startsWith("search")),
    },
    {
      title: `${scale.namespaces} namespaces of ${scale.inEach}, beside one of ${scale.memories}`,
      memories: scale.memories + scale.namespaces * scale.inEach,
      fill: (caller) => fillMemories(caller, small),
      cases: () => [search("search HYBRID", asked, Mode.HYBRID), search("search VECTOR", asked, Mode.VECTOR)],
    },
  ];
}

function smallNamespaces({ namespaces, inEach }: typeof SCALE) {
  const all = extraBatches((namespaces * inEach) / BATCH_SIZE).flatMap(({ memories }) => memories);
  return Array.from({ length: namespaces }, (_, at) =>
    create(BatchCreateMemoriesRequestSchema, {
      namespace: `small-${at}`,
      memories: all.slice(at * inEach, (at + 1) * inEach),
    }),
  );
}
