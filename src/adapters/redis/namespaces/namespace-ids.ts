import { randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { MAX_NAMESPACES, type NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type RecollectError, tooManyNamespaces } from "../../../domain/errors.ts";
import { atMostEntries } from "../../../lib/lru-options.ts";
import type { Command, RedisClient, Reply } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { numberOf, textOf } from "../connection/replies.ts";
import { type Keys, type NamespaceRedisKeys, type PartitionKeys, scopeName } from "./keys.ts";
import { MODEL_CHANGED, type NamespaceScript } from "./namespace-script.ts";

/** Cached ids; each is checked by the very command that uses it. */
const MAX_CACHED_IDS = 100_000;

/** How often a command is sent while its namespace is deleted and created again each time. */
export const MAX_NAMESPACE_RETRIES = 10;

/** A script that is run inside a namespace. */
export interface NamespaceCall<Input extends object, Output> {
  readonly script: NamespaceScript<Input, Output>;
  /**
   * When the namespace does not exist: `skip` (the default) does not run the script, `create` lets it create the
   * namespace, `run` runs it with an empty id.
   */
  readonly whenAbsent?: "skip" | "create" | "run";
  /** The script writes, and may still be retried: see retryable.ts. Default: false. */
  readonly mayRetry?: boolean;
  /** Called each time that the script is sent: the namespaceId may have changed. */
  readonly input: (namespace: NamespaceRedisKeys) => Input;
}

/**
 * Runs commands inside namespaces. A cached id may be stale, because other processes delete and create namespaces too:
 * every command is sent with the cached id and checks it in Redis, and is retried with the right one when it was stale.
 */
export class Namespaces {
  readonly keys: Keys;
  readonly #client: RedisClient;
  /** By scopeName. */
  readonly #ids = new LRUCache<string, string>(atMostEntries(MAX_CACHED_IDS));
  readonly #onCreated: ((scope: NamespaceKey) => void)[] = [];
  #mostCached = 0;
  readonly #verify: () => Promise<void>;
  /** The check of the store in progress. */
  #verifying: Promise<void> | undefined;

  /** `verify` is called when a cached id was wrong: rejects when the store cannot be served. */
  constructor(client: RedisClient, keys: Keys, verify: () => Promise<void> = async () => undefined) {
    this.#client = client;
    this.keys = keys;
    this.#verify = verify;
  }

  /** The most namespaces whose ids were cached at once. */
  get mostCached(): number {
    return this.#mostCached;
  }

  /** Clears the cached ids: the store was replaced. */
  clearCache(): void {
    this.#ids.clear();
    this.#mostCached = 0;
  }

  /** `listener` is called when a write of this process has created a namespace, for the first time or again. */
  onCreated(listener: (scope: NamespaceKey) => void): void {
    this.#onCreated.push(listener);
  }

  partition(scope: NamespaceKey): PartitionKeys {
    return this.keys.partition(this.keys.partitionOf(scope));
  }

  /** The keys of a namespace by its cached id, or else that of Redis: the commands that use them have to check the id. */
  async find(scope: NamespaceKey): Promise<NamespaceRedisKeys | undefined> {
    const namespaceId = this.#ids.get(scopeName(scope)) ?? (await this.#read(scope));
    return namespaceId === undefined ? undefined : this.partition(scope).namespace(namespaceId);
  }

  /** Runs a script inside a namespace; undefined when it was skipped. */
  run<Input extends object, Output>(
    scope: NamespaceKey,
    call: NamespaceCall<Input, Output> & { readonly whenAbsent: "create" | "run" },
  ): Promise<Output>;
  run<Input extends object, Output>(
    scope: NamespaceKey,
    call: NamespaceCall<Input, Output>,
  ): Promise<Output | undefined>;
  async run<Input extends object, Output>(
    scope: NamespaceKey,
    { script, whenAbsent = "skip", mayRetry = false, input }: NamespaceCall<Input, Output>,
  ): Promise<Output | undefined> {
    const partition = this.partition(scope);
    const name = scopeName(scope);
    let cachedId = this.#ids.get(name);
    if (cachedId === undefined && whenAbsent === "skip") cachedId = await this.#read(scope);
    for (let attempts = 0; attempts < MAX_NAMESPACE_RETRIES; attempts += 1) {
      if (cachedId === undefined && whenAbsent === "skip") return undefined;
      const isNew = cachedId === undefined && whenAbsent === "create";
      const namespaceId: string = cachedId ?? (isNew ? randomBytes(8).toString("hex") : "");
      const namespacesElsewhere = isNew ? await this.#countElsewhere(scope) : "";
      const reply = await this.#client.run(
        script,
        {
          ...input(partition.namespace(namespaceId)),
          namespaces: partition.namespaces,
          namespaceNames: partition.names,
          tenantNamespaces: partition.namesOf(scope.tenant),
          namespaceName: name,
          namespaceId,
          ownName: scope.namespace,
          namespacesElsewhere,
          maxNamespaces: MAX_NAMESPACES,
        },
        { mayRetry },
      );
      if (reply.kind === "tooMany") throw tooManyNamespaces(MAX_NAMESPACES);
      if (reply.kind === "done") {
        // With MODEL_CHANGED nothing was created: the script is to be sent again.
        if (reply.output === MODEL_CHANGED) return reply.output;
        if (namespaceId !== "" && namespaceId !== cachedId) this.#cache(scope, namespaceId);
        if (isNew) for (const listener of this.#onCreated) listener(scope);
        return reply.output;
      }
      cachedId = this.correct(scope, reply.namespaceId);
      await this.#verifying;
    }
    throw namespaceIsChanging();
  }

  /**
   * Sends commands about a namespace in one round trip; undefined when it does not exist. Replies may hold data of a
   * namespace that is deleted at the same time.
   */
  async pipeline(
    scope: NamespaceKey,
    commands: (namespace: NamespaceRedisKeys) => readonly Command[],
  ): Promise<Reply[] | undefined> {
    const partition = this.partition(scope);
    let namespaceId = this.#ids.get(scopeName(scope)) ?? (await this.#read(scope));
    for (let attempts = 0; namespaceId !== undefined; attempts += 1) {
      if (attempts === MAX_NAMESPACE_RETRIES) throw namespaceIsChanging();
      const [current, ...replies] = await this.#client.pipeline([
        ["HGET", partition.namespaces, scopeName(scope)],
        ...commands(partition.namespace(namespaceId)),
      ]);
      if (textOf(current) === namespaceId) return replies;
      namespaceId = this.correct(scope, textOf(current));
      await this.#verifying;
    }
    return undefined;
  }

  /** Drops the cached id of a namespace that this process has deleted. */
  dropCached(scope: NamespaceKey): void {
    this.#ids.delete(scopeName(scope));
  }

  /** Caches the current id of a namespace; undefined: the namespace does not exist. */
  correct(scope: NamespaceKey, namespaceId: string | undefined): string | undefined {
    const cached = this.#ids.get(scopeName(scope));
    if (cached !== undefined && cached !== namespaceId) this.#verifyStore();
    if (namespaceId === undefined) this.#ids.delete(scopeName(scope));
    else this.#cache(scope, namespaceId);
    return namespaceId;
  }

  /** Called for a stale cached id: another process has deleted the namespace, or the whole store was replaced. */
  #verifyStore(): void {
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    // The next command of the namespace waits for it, and rejects with it.
    this.#verifying.catch(() => undefined);
  }

  async #read(scope: NamespaceKey): Promise<string | undefined> {
    await this.#verifying;
    const reply = await this.#client.command("HGET", this.partition(scope).namespaces, scopeName(scope));
    return this.correct(scope, textOf(reply));
  }

  #cache(scope: NamespaceKey, namespaceId: string): void {
    this.#ids.set(scopeName(scope), namespaceId);
    this.#mostCached = Math.max(this.#mostCached, this.#ids.size);
  }

  /**
   * Number of namespaces of a tenant in other partitions, which no script can count. So two namespaces that are created
   * concurrently in two partitions may exceed the limit by one.
   */
  async #countElsewhere(scope: NamespaceKey): Promise<number> {
    const own = this.keys.partitionOf(scope);
    const others = this.keys.all().filter(({ number }) => number !== own);
    const counts = await Promise.all(
      others.map((partition) => this.#client.command("ZCARD", partition.namesOf(scope.tenant))),
    );
    return counts.reduce((sum: number, count) => sum + numberOf(count), 0);
  }
}

/** For a command that met a stale namespaceId at each retry. */
export function namespaceIsChanging(): RecollectError {
  return unavailable("the namespace is being deleted and created again");
}
