import type { StoredMemory } from "../../../domain/memory/memory.ts";
import { NEIGHBOR_REACH } from "../../../domain/memory/neighbors.ts";
import { YieldBudget } from "../../../lib/yield-to-event-loop.ts";
import type { NeighborOptions } from "../../../ports/memory/reader.ts";
import type { Database, Row } from "../database/database.ts";
import { type Condition, memoryCondition } from "../keywords/row-filter.ts";
import { type MemoryRows, STORED_BESIDE_RECORD, WITH_ACCESS } from "./rows.ts";

/** What a row that was looked at costs beside its text, in characters: a record of 64 KiB in front of what decides is passed over. */
const CHARACTERS_PER_ROW = 128;

type Side = "before" | "after";

const SIDES = {
  before: { comparison: "<", order: "DESC" },
  after: { comparison: ">", order: "ASC" },
} as const satisfies Readonly<Record<Side, unknown>>;

/** See MemoryReader. */
export async function readNeighbors(
  database: Database,
  rows: MemoryRows,
  options: NeighborOptions & { readonly namespaceId: number; readonly ids: readonly string[] },
): Promise<StoredMemory[][]> {
  const { namespaceId, ids, filter, maxBytes, now } = options;
  const session = new SessionRows(database, memoryCondition(namespaceId, filter, now), options);
  const decoded = new Map<unknown, StoredMemory>();
  const budget = new YieldBudget();
  const lists: StoredMemory[][] = [];
  let bytes = 0;
  for (const id of ids) {
    if (lists.length > 0 && bytes >= maxBytes) break;
    let characters = 0;
    const list = session.around(id).map((row) => {
      const known = decoded.get(row["row"]);
      if (known !== undefined) return known;
      const memory = rows.memoryOf(row);
      decoded.set(row["row"], memory);
      characters += memory.text.length;
      bytes += Buffer.byteLength(String(row["record"]));
      return memory;
    });
    lists.push(list);
    await budget.spend(characters + session.takeLooked() * CHARACTERS_PER_ROW);
  }
  return lists;
}

/** The rows beside a memory in its session. */
class SessionRows {
  readonly #database: Database;
  readonly #condition: Condition;
  readonly #namespaceId: number;
  readonly #count: number;
  #looked = 0;

  constructor(
    database: Database,
    condition: Condition,
    { namespaceId, count }: { readonly namespaceId: number; readonly count: number },
  ) {
    this.#database = database;
    this.#condition = condition;
    this.#namespaceId = namespaceId;
    this.#count = count;
  }

  /** By position. */
  around(id: string): readonly Row[] {
    const memory = this.#database.first(
      "SELECT session_id, session_position FROM memory WHERE namespace_id = ? AND id = ?",
      this.#namespaceId,
      id,
    );
    if (memory === undefined || memory["session_id"] === "") return [];
    return [...this.#nearest(memory, "before").reverse(), ...this.#nearest(memory, "after")];
  }

  /** How many rows were looked at since the last call. */
  takeLooked(): number {
    const looked = this.#looked;
    this.#looked = 0;
    return looked;
  }

  /** The nearest that pass, nearest first. The first look is usually enough. */
  #nearest(memory: Row, side: Side): Row[] {
    const { comparison, order } = SIDES[side];
    const found: Row[] = [];
    let looked = 0;
    for (const size of [this.#count, NEIGHBOR_REACH - this.#count]) {
      if (found.length === this.#count) break;
      const rows = this.#database.all(
        // The record only of those that pass: of the others long texts would be read for nothing.
        `SELECT m.row, ${STORED_BESIDE_RECORD}, CASE WHEN ${this.#condition.sql} THEN m.record END AS record
         FROM memory m INDEXED BY memory_by_session ${WITH_ACCESS}
         WHERE m.namespace_id = ? AND m.session_id = ? AND m.session_position ${comparison} ?
         ORDER BY m.session_position ${order} LIMIT ? OFFSET ?`,
        ...this.#condition.values,
        this.#namespaceId,
        memory["session_id"] ?? null,
        memory["session_position"] ?? null,
        size,
        looked,
      );
      found.push(...rows.filter(({ record }) => record !== null).slice(0, this.#count - found.length));
      looked += size;
      this.#looked += rows.length;
    }
    return found;
  }
}
