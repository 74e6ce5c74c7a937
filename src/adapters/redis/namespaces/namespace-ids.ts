import { randomBytes } from "node:crypto";
import { MAX_NAMESPACES, type Scope } from "../../../domain/access/tenancy.ts";
import { type RecollectError, tooManyNamespaces } from "../../../domain/errors.ts";
import type { Command, RedisClient, Reply } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { numberOf, textOf } from "../connection/replies.ts";
import { type Keys, type NamespaceKeys, type PartitionKeys, scopeName } from "./keys.ts";
import { MODEL_CHANGED, type NamespaceScript } from "./namespace-script.ts";

/** Numbers kept at hand; each is checked by the very command that uses it. */
const MAX_KNOWN = 100_000;

/** A call that finds the namespace deleted and made again more often than this, each time in between, says so. */
export const MAX_NAMESPACE_TRIES = 10;

/** A script that is run inside a namespace. */
export interface NamespaceCall<Input extends object, Output> {
  readonly script: NamespaceScript<Input, Output>;
  /**
   * Where the namespace is not there: `skip` (the default) does not run the script, `create` lets it create the namespace,
   * `run` runs it with an empty id.
   */
  readonly whenAbsent?: "skip" | "create" | "run";
  /** The script changes something, and may be sent again nevertheless: see repeatable.ts. Default: false. */
  readonly mayRepeat?: boolean;
  /** Called for each time that the script is sent: the namespace may be another one. */
  readonly input: (namespace: NamespaceKeys) => Input;
}

/**
 * The way into a namespace. What is known of its number may be wrong at any time, for another process deletes and makes
 * namespaces too: every command is sent with the number that is known and checks it where it runs, and is sent again
 * with the right one when it was wrong.
 */
export class Namespaces {
  readonly keys: Keys;
  readonly #client: RedisClient;
  readonly #known = new Map<string, string>();
  readonly #onCreated: ((scope: Scope) => void)[] = [];
  #mostKnown = 0;
  readonly #verify: () => Promise<void>;
  /** Whether it is the same store still, which is being found out. */
  #verifying: Promise<void> | undefined;

  /** `verify` is called when a namespace is not the one that was known: rejects when the store cannot be served. */
  constructor(client: RedisClient, keys: Keys, verify: () => Promise<void> = async () => undefined) {
    this.#client = client;
    this.keys = keys;
    this.#verify = verify;
  }

  /** How many namespaces this process has known at once. */
  get mostKnown(): number {
    return this.#mostKnown;
  }

  /** The store was replaced. */
  forgetAll(): void {
    this.#known.clear();
    this.#mostKnown = 0;
  }

  /** Calls this when a write of this process has brought a namespace into being, for the first time or again. */
  onCreated(listener: (scope: Scope) => void): void {
    this.#onCreated.push(listener);
  }

  partition(scope: Scope): PartitionKeys {
    return this.keys.partition(this.keys.partitionOf(scope));
  }

  /** The keys of a namespace, as this process knows them or else Redis: whoever goes by them has its number checked. */
  async find(scope: Scope): Promise<NamespaceKeys | undefined> {
    const number = this.#known.get(scopeName(scope)) ?? (await this.#read(scope));
    return number === undefined ? undefined : this.partition(scope).namespace(number);
  }

  /** Runs a script inside a namespace; undefined when it was skipped. */
  run<Input extends object, Output>(
    scope: Scope,
    call: NamespaceCall<Input, Output> & { readonly whenAbsent: "create" | "run" },
  ): Promise<Output>;
  run<Input extends object, Output>(
    scope: Scope,
    call: NamespaceCall<Input, Output>,
  ): Promise<Output | undefined>;
  async run<Input extends object, Output>(
    scope: Scope,
    { script, whenAbsent = "skip", mayRepeat = false, input }: NamespaceCall<Input, Output>,
  ): Promise<Output | undefined> {
    const partition = this.partition(scope);
    const name = scopeName(scope);
    let known = this.#known.get(name);
    if (known === undefined && whenAbsent === "skip") known = await this.#read(scope);
    for (let tries = 0; tries < MAX_NAMESPACE_TRIES; tries += 1) {
      if (known === undefined && whenAbsent === "skip") return undefined;
      const isNew = known === undefined && whenAbsent === "create";
      const namespaceId: string = known ?? (isNew ? randomBytes(8).toString("hex") : "");
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
        { mayRepeat },
      );
      if (reply.kind === "tooMany") throw tooManyNamespaces(MAX_NAMESPACES);
      if (reply.kind === "done") {
        // With MODEL_CHANGED nothing was created: the script is to be sent again.
        if (reply.output === MODEL_CHANGED) return reply.output;
        if (namespaceId !== "" && namespaceId !== known) this.#remember(scope, namespaceId);
        if (isNew) for (const listener of this.#onCreated) listener(scope);
        return reply.output;
      }
      known = this.correct(scope, reply.namespaceId);
      await this.#verifying;
    }
    throw namespaceIsChanging();
  }

  /**
   * Sends commands about a namespace in one round trip; undefined when it is not there. They may answer with what a
   * deletion has left behind only if that was under way at the same time.
   */
  async pipeline(
    scope: Scope,
    commands: (namespace: NamespaceKeys) => readonly Command[],
  ): Promise<Reply[] | undefined> {
    const partition = this.partition(scope);
    let number = this.#known.get(scopeName(scope)) ?? (await this.#read(scope));
    for (let tries = 0; number !== undefined; tries += 1) {
      if (tries === MAX_NAMESPACE_TRIES) throw namespaceIsChanging();
      const [current, ...replies] = await this.#client.pipeline([
        ["HGET", partition.namespaces, scopeName(scope)],
        ...commands(partition.namespace(number)),
      ]);
      if (textOf(current) === number) return replies;
      number = this.correct(scope, textOf(current));
      await this.#verifying;
    }
    return undefined;
  }

  /** The namespace was deleted by this process. */
  forget(scope: Scope): void {
    this.#known.delete(scopeName(scope));
  }

  /** The number of a namespace as Redis has just said it; undefined: it is not there. */
  correct(scope: Scope, number: string | undefined): string | undefined {
    const known = this.#known.get(scopeName(scope));
    if (known !== undefined && known !== number) this.#doubt();
    if (number === undefined) this.#known.delete(scopeName(scope));
    else this.#remember(scope, number);
    return number;
  }

  /** Another process has deleted the namespace; or everything that this process knew is gone. */
  #doubt(): void {
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    // Whoever goes on waits for it and is told.
    this.#verifying.catch(() => undefined);
  }

  async #read(scope: Scope): Promise<string | undefined> {
    await this.#verifying;
    const reply = await this.#client.command("HGET", this.partition(scope).namespaces, scopeName(scope));
    return this.correct(scope, textOf(reply));
  }

  #remember(scope: Scope, number: string): void {
    const name = scopeName(scope);
    if (this.#known.get(name) === number) return;
    this.#known.set(name, number);
    this.#mostKnown = Math.max(this.#mostKnown, this.#known.size);
    if (this.#known.size <= MAX_KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  /**
   * Namespaces of a tenant in other partitions, which no script can count. Two that come into being at the same time in
   * two partitions may so both be the last that is allowed.
   */
  async #countElsewhere(scope: Scope): Promise<number> {
    const own = this.keys.partitionOf(scope);
    const others = this.keys.all().filter(({ number }) => number !== own);
    const counts = await Promise.all(
      others.map((partition) => this.#client.command("ZCARD", partition.namesOf(scope.tenant))),
    );
    return counts.reduce((sum: number, count) => sum + numberOf(count), 0);
  }
}

/** What a caller is told then. */
export function namespaceIsChanging(): RecollectError {
  return unavailable("the namespace is deleted and made again all the time");
}
