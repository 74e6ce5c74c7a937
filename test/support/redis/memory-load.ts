import { setTimeout } from "node:timers/promises";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { RecollectError } from "../../../src/domain/errors.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import { vectorOf } from "../../contract/store-under-test.ts";
import { NOW, newMemory } from "../builders.ts";

/** Writes and searches of one namespace, one behind the other, that go on until they are stopped. */
export interface MemoryLoad {
  /** Ids whose writing was acknowledged, so far. */
  readonly acknowledged: readonly string[];
  /** Number of calls that were refused with a retry delay (STORE_UNAVAILABLE) so far. */
  readonly refused: () => number;
  /** Why the last of them was; empty: none was. */
  readonly lastRefusal: () => string;
  /** Searches that answered, so far. */
  readonly answered: () => number;
  /** Resolves with the failures: other errors, and acknowledged ids that a search did not find. */
  stop(): Promise<{ readonly errors: readonly string[]; readonly notFound: readonly string[] }>;
}

const PAUSE_MS = 10;

/** Whatever is refused is tried again with the same id until it is acknowledged. */
export function startMemoryLoad(store: () => Memories, scope: NamespaceKey): MemoryLoad {
  const acknowledged: string[] = [];
  const errors: string[] = [];
  const notFound: string[] = [];
  let [refused, answered, isStopped] = [0, 0, false];
  let lastRefusal = "";

  const unlessRefused = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof RecollectError && error.reason === "STORE_UNAVAILABLE") {
        refused += 1;
        lastRefusal = `${error.message} (${error.cause})`;
      } else errors.push(String(error));
      await setTimeout(PAUSE_MS);
      return undefined;
    }
  };
  const write = async (): Promise<void> => {
    while (!isStopped) {
      const number = acknowledged.length;
      const outcomes = await unlessRefused(() => remember(store(), scope, number));
      // A memory that was there was written by a call whose answer was lost.
      if (outcomes !== undefined) acknowledged.push(`m${number}`);
    }
  };
  const search = async (): Promise<void> => {
    while (!isStopped) {
      if (acknowledged.length === 0) {
        await setTimeout(PAUSE_MS);
        continue;
      }
      const number = Math.floor(Math.random() * acknowledged.length);
      const isFound = await unlessRefused(() => finds(store(), scope, number));
      if (isFound !== undefined) answered += 1;
      if (isFound === false) notFound.push(`m${number}`);
    }
  };
  const running = Promise.all([write(), search()]);
  return {
    acknowledged,
    refused: () => refused,
    lastRefusal: () => lastRefusal,
    answered: () => answered,
    stop: async () => {
      isStopped = true;
      await running;
      return { errors, notFound };
    },
  };
}

async function remember(store: Memories, scope: NamespaceKey, number: number): Promise<unknown> {
  const one = newMemory({ id: `m${number}`, text: `word${number}` }, { vector: vectorOf(number) });
  return store.writer.create(scope, [one], { now: NOW });
}

/** Whether a memory of the load is the first that is found by its vector and by its word. */
export async function finds(store: Memories, scope: NamespaceKey, number: number): Promise<boolean> {
  const { byVector: nearest, byKeyword: containing } = await store.search.search(
    scope,
    { vector: vectorOf(number), terms: [`word${number}`], filter: { states: ["ACTIVE"] }, limit: 1 },
    NOW,
  );
  return [nearest, containing].every((matches) => matches[0]?.id === `m${number}`);
}

/** The acknowledged memories that cannot be read, or not be found by a search. */
export async function missingOf(
  store: Memories,
  scope: NamespaceKey,
  { acknowledged }: MemoryLoad,
): Promise<readonly string[]> {
  const read = await store.reader.get(scope, acknowledged, NOW);
  const missing = acknowledged.filter((_, at) => read[at] === undefined);
  for (const [number, id] of acknowledged.entries()) {
    if (!(await finds(store, scope, number))) missing.push(`${id} (search)`);
  }
  return missing;
}
