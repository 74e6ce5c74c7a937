import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { NamespaceCounts, NamespaceStore } from "../../../ports/namespace-store.ts";
import type { RedisClient } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { IDEMPOTENCY, replayedOutcome, requestInput } from "./idempotency.ts";
import type { Namespaces } from "./namespace-ids.ts";
import { defineNamespaceScript } from "./namespace-script.ts";

const DELETE = defineNamespaceScript({
  file: new URL("./delete-namespace.lua", import.meta.url),
  libraries: [IDEMPOTENCY],
  effect: "frees",
  keys: ["counters", "deleted", "cacheOrder", "meta"],
  reply: (reply): NamespaceCounts => {
    const outcome = replayedOutcome(reply) ?? textOf(listOf(reply)[1]) ?? "";
    const [memories = "", cacheEntries = ""] = outcome.split(" ");
    return { memories: Number(memories), cacheEntries: Number(cacheEntries) };
  },
});

/** The namespaces of each tenant, each in its partition. */
export class RedisNamespaceStore implements NamespaceStore {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #onDeleted: () => void;

  constructor(client: RedisClient, namespaces: Namespaces, onDeleted: () => void) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#onDeleted = onDeleted;
  }

  async list(
    tenant: string,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<string[]> {
    const { keys } = this.#namespaces;
    const start = after === "" ? "-" : `(${after}`;
    const pages = await Promise.all(
      Array.from({ length: keys.partitions }, (_, number) =>
        this.#client.command(
          "ZRANGE",
          keys.partition(number).namesOf(tenant),
          start,
          "+",
          "BYLEX",
          "LIMIT",
          0,
          limit,
        ),
      ),
    );
    // Names are ASCII, so the order of strings is that of their bytes.
    return pages
      .flatMap((page) => listOf(page).map(String))
      .sort()
      .slice(0, limit);
  }

  async counts(scope: NamespaceKey): Promise<NamespaceCounts> {
    const replies = await this.#namespaces.pipeline(scope, (namespace) => [
      ["HGET", namespace.counters, "memories"],
      ["ZCARD", namespace.cacheOrder],
    ]);
    return { memories: numberOf(replies?.[0]), cacheEntries: numberOf(replies?.[1]) };
  }

  async delete(
    scope: NamespaceKey,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<NamespaceCounts> {
    const partition = this.#namespaces.partition(scope);
    const counts = await this.#namespaces.run(scope, {
      script: DELETE,
      // A replay gets its response also when the namespace no longer exists.
      whenAbsent: "run",
      mayRetry: request !== undefined,
      input: (namespace) => ({
        counters: namespace.counters,
        deleted: partition.deleted,
        request: partition.requestBeside(scope, request?.key ?? ""),
        cacheOrder: namespace.cacheOrder,
        meta: partition.meta,
        ...requestInput(request),
        now,
      }),
    });
    this.#namespaces.dropCached(scope);
    this.#onDeleted();
    return counts;
  }
}
