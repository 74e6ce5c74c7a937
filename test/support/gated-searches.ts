import type { Backend } from "../../src/ports/backend.ts";
import type { CandidateSearch } from "../../src/ports/memory/search.ts";

/** Blocks memory searches of a backend: each waits for its release before it reaches the store. */
export interface GatedSearches {
  /** For `overrides` of startApp. */
  readonly backend: (opened: Backend) => Backend;
  /** The tenants of the searches that have arrived, in order. */
  readonly tenants: readonly string[];
  /** Resolves when the total number of searches reaches this number. */
  entered(searches: number): Promise<void>;
  /** Releases all searches, also later ones. */
  release(): void;
}

export function gatedSearches(): GatedSearches {
  const gate = Promise.withResolvers<void>();
  const tenants: string[] = [];
  const waiters: { readonly searches: number; readonly resolve: () => void }[] = [];
  const gated = (search: CandidateSearch): CandidateSearch =>
    replacing(search, {
      search: async (scope, ...rest) => {
        tenants.push(scope.tenant);
        for (const { searches, resolve } of waiters) if (tenants.length >= searches) resolve();
        await gate.promise;
        return search.search(scope, ...rest);
      },
    });
  return {
    tenants,
    release: () => gate.resolve(),
    entered: (searches) =>
      new Promise((resolve) => {
        if (tenants.length >= searches) resolve();
        else waiters.push({ searches, resolve });
      }),
    backend: (opened) =>
      replacing(opened, { memories: replacing(opened.memories, { search: gated(opened.memories.search) }) }),
  };
}

/** The same object with some properties replaced. */
function replacing<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get: (of, name) => {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
}
