import { mapKeyOf, type NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CachePolicy } from "../../domain/cache/policy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { GuardOff } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { CacheSettings } from "./cache-settings.ts";

/** A namespace that was not used for so long is not counted: nothing is served from it. */
const WINDOW_MS = 3_600_000;

/** Namespaces that are known at once; of more, those that were used last. */
const MAX_NAMESPACES = 10_000;

/** Where the guard is switched off, for /ready and metrics: in the settings, and in namespaces that this process has used. */
export class GuardWatch {
  readonly #settings: Reloadable<Pick<CacheSettings, "enabled" | "guard">>;
  readonly #clock: Clock;
  /** When each was last used, by mapKeyOf. */
  readonly #off = new Map<string, number>();

  constructor(settings: Reloadable<Pick<CacheSettings, "enabled" | "guard">>, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** The policy of a namespace was read or changed. */
  saw(namespaceKey: NamespaceKey, { guard }: CachePolicy): void {
    if (guard !== "off" && this.#off.size === 0) return;
    const name = mapKeyOf(namespaceKey);
    // Deleted first, so that the namespaces stay in the order of their last use.
    this.#off.delete(name);
    if (guard !== "off") return;
    this.#off.set(name, this.#clock.now());
    const [oldest] = this.#off.size > MAX_NAMESPACES ? this.#off.keys() : [];
    if (oldest !== undefined) this.#off.delete(oldest);
  }

  state(): GuardOff {
    const { enabled, guard } = this.#settings();
    const since = this.#clock.now() - WINDOW_MS;
    return {
      server: enabled && guard === "off",
      namespaces: enabled ? [...this.#off.values()].filter((time) => time >= since).length : 0,
    };
  }

  /** One line each, without names: /ready needs no credential. */
  warnings(): string[] {
    const { server, namespaces } = this.state();
    const effect = "a similar prompt gets an answer whatever it asks";
    return [
      ...(server ? [`CACHE_GUARD=off: ${effect}, in each namespace without a policy of its own`] : []),
      ...(namespaces > 0
        ? [
            `the cache policy of ${namespaces} namespaces, used within the last hour, has the guard off: ${effect}`,
          ]
        : []),
    ];
  }
}
