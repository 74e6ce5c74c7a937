import { secretRefused } from "../../domain/errors.ts";
import type { MemoryDraft } from "../../domain/memory/draft.ts";
import type { MemoryState } from "../../domain/memory/memory.ts";
import { type Content, examine } from "../../domain/memory/secrets.ts";
import {
  BOTH_FIELDS,
  type GuardedContent,
  guardContent,
  SECRET_FLAG,
  type SecretsAction,
} from "../../domain/memory/write-guard.ts";
import type { WriteGuardMetrics } from "../../ports/metrics.ts";

/** The most flags of a memory, as memory.proto has it. */
const MAX_FLAGS = 32;

/** Applies `memory.secrets` to the memories of one call; see write-guard.ts. */
export class SecretsGuard {
  readonly #action: SecretsAction;
  readonly #metrics: WriteGuardMetrics;
  readonly #quarantined = new WeakSet<MemoryDraft>();

  constructor(action: SecretsAction, metrics: WriteGuardMetrics) {
    this.#action = action;
    this.#metrics = metrics;
  }

  /**
   * The draft as it may be stored, with its flags. `path`: of the draft in the request. `changed`: the fields that the write
   * changes. Throws SECRET_REFUSED.
   */
  check(draft: MemoryDraft, path: string, changed = BOTH_FIELDS): MemoryDraft {
    if (this.#action === "OFF" || changed.length === 0) return draft;
    const guarded = this.#guard(draft, this.#action, path, changed);
    const { flags: before = [], ...rest } = draft;
    const others = before.filter((flag) => !flag.startsWith(SECRET_FLAG));
    const flags = allFlags(guarded.flags, others);
    const checked = { ...rest, ...guarded.content, ...(flags.length === 0 ? {} : { flags }) };
    if (guarded.found.length > 0 && this.#action === "QUARANTINE") this.#quarantined.add(checked);
    return checked;
  }

  /**
   * The same for a memory of an export: it keeps the flags and the state that it had, and is examined only where the server
   * stores no secrets, with REDACT and REJECT.
   */
  checkImported<Draft extends MemoryDraft>(draft: Draft, path: string): Draft {
    if (this.#action !== "REDACT" && this.#action !== "REJECT") return draft;
    const guarded = this.#guard(draft, this.#action, path, BOTH_FIELDS);
    if (guarded.found.length === 0) return draft;
    return { ...draft, ...guarded.content, flags: allFlags(guarded.flags, draft.flags ?? []) };
  }

  /** The state of a new memory that `check` has returned. */
  stateOf(checked: MemoryDraft): MemoryState {
    return this.#quarantined.has(checked) ? "QUARANTINED" : "ACTIVE";
  }

  /**
   * The draft of a request as its idempotency record is computed from it: without secrets, so that no digest of one is stored,
   * and a retry is known as one also when another action applies since.
   */
  recorded(draft: MemoryDraft): MemoryDraft {
    return this.#action === "OFF" ? draft : { ...draft, ...examine(draft)?.redacted };
  }

  #guard(
    { text, metadata }: MemoryDraft,
    action: Exclude<SecretsAction, "OFF">,
    path: string,
    changed: readonly (keyof Content)[],
  ): GuardedContent {
    const guarded = guardContent({ text, metadata }, action, changed);
    const { found, isRefused } = guarded;
    if (found.length > 0) this.#metrics.writeGuard("secrets", isRefused ? "REJECT" : action);
    if (!isRefused) return guarded;
    throw secretRefused(found.map(({ field, pattern }) => ({ field: `${path}.${field}`, pattern })));
  }
}

/** Sorted; of too many, those of secrets are kept. */
function allFlags(ofSecrets: readonly string[], others: readonly string[]): string[] {
  return [...new Set([...ofSecrets, ...others])].slice(0, MAX_FLAGS).sort();
}
