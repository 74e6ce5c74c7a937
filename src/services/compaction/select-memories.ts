import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import { ACTIVE_ONLY, type MemoryFilter } from "../../domain/memory/filter.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { ListPosition, MemoryReader } from "../../ports/memory/reader.ts";
import type { MemoryExport } from "../../ports/memory/transfer.ts";
import type { Steps } from "./steps.ts";

export interface SelectPorts {
  readonly memories: {
    readonly reader: Pick<MemoryReader, "list" | "get" | "count">;
    readonly exporter: MemoryExport;
  };
  readonly now: () => number;
}

/** Limits of one page: some milliseconds of reading. */
const PAGE_SIZE = 100;
const PAGE_BYTES = 64 * 1024;
/** A user with fewer memories is read by an index of users, others in the order of time with the whole namespace. */
const FEW = 2000;
/** The memories of a namespace with fewer are read once, and then taken user by user. */
const MANY = 100_000;

/** The active memories of one user. */
export interface UserMemories {
  /** Empty: those without a user. */
  readonly userId: string;
  /** How many there are, about. */
  readonly count: number;
  /** Reads them, with access statistics; in the same order each time. */
  readonly pages: () => AsyncIterable<readonly StoredMemory[]>;
}

/**
 * The active memories of a scope, user by user, in the order of the user ids. `userId` undefined: every user. Main memory
 * holds those of a namespace with at most 100,000, and otherwise one page.
 */
export async function* selectMemories(
  ports: SelectPorts,
  namespaceKey: NamespaceKey,
  userId: string | undefined,
  steps: Steps,
): AsyncGenerator<UserMemories> {
  const { reader } = ports.memories;
  const read = async (user: string): Promise<UserMemories> => {
    const filter = { ...ACTIVE_ONLY, userId: user };
    const own = await steps.run("READ", () => reader.count(namespaceKey, filter, ports.now()));
    return { userId: user, count: own, pages: () => pagesOf(ports, namespaceKey, filter, own, steps) };
  };
  if (userId !== undefined) {
    yield await read(userId);
    return;
  }
  const count = await steps.run("READ", () => reader.count(namespaceKey, ACTIVE_ONLY, ports.now()));
  const users = new Map<string, StoredMemory[]>();
  for await (const page of pagesByTime(ports, namespaceKey, ACTIVE_ONLY, steps)) {
    for (const memory of page) {
      const known = users.get(memory.userId) ?? [];
      users.set(memory.userId, known);
      if (count <= MANY) known.push(memory);
    }
  }
  for (const [user, memories] of [...users].sort(([a], [b]) => (a < b ? -1 : 1))) {
    users.delete(user);
    if (count > MANY) yield await read(user);
    else yield { userId: user, count: memories.length, pages: () => inPages(memories) };
  }
}

async function* inPages(memories: readonly StoredMemory[]): AsyncGenerator<readonly StoredMemory[]> {
  for (let start = 0; start < memories.length; start += PAGE_SIZE) {
    yield memories.slice(start, start + PAGE_SIZE);
  }
}

async function* pagesOf(
  ports: SelectPorts,
  namespaceKey: NamespaceKey,
  filter: MemoryFilter,
  count: number,
  steps: Steps,
): AsyncGenerator<readonly StoredMemory[]> {
  const { reader } = ports.memories;
  if (count >= FEW) {
    yield* pagesByTime(ports, namespaceKey, filter, steps);
    return;
  }
  let after: ListPosition | undefined;
  do {
    const from: { readonly after?: ListPosition } = after === undefined ? {} : { after };
    const page: StoredMemory[] = await steps.run("READ", () =>
      reader.list(namespaceKey, { filter, ...from, limit: PAGE_SIZE, now: ports.now() }),
    );
    if (page.length > 0) yield page;
    after = page.at(-1);
  } while (after !== undefined);
}

/** Pages in the order of time; their access statistics are read by id. */
async function* pagesByTime(
  { memories, now }: SelectPorts,
  namespaceKey: NamespaceKey,
  filter: MemoryFilter,
  steps: Steps,
): AsyncGenerator<readonly StoredMemory[]> {
  let after: ListPosition | undefined;
  do {
    const from: { readonly after?: ListPosition } = after === undefined ? {} : { after };
    const limits = { limit: PAGE_SIZE, maxBytes: PAGE_BYTES };
    const page = await steps.run("READ", () =>
      memories.exporter.listOldest(namespaceKey, { filter, ...from, ...limits, now: now() }),
    );
    after = page.at(-1);
    if (page.length === 0) return;
    const ids = page.map(({ id }) => id);
    const stored = await steps.run("READ", () => memories.reader.get(namespaceKey, ids, now()));
    // Changed since the page was read: as in a later read, it no longer belongs to the selection.
    yield stored.filter(
      (memory, index) => memory !== undefined && memory.etag === page[index]?.etag,
    ) as StoredMemory[];
  } while (after !== undefined);
}
