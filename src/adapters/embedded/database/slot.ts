import type { Memory } from "../../../domain/memory/memory.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import type { Row } from "./database.ts";

/** What an index in memory holds of a row, beside its vector or terms. */
export interface Slot<Fields> {
  /** A row that default reads leave out (a memory in another state than ACTIVE) is skipped by default searches. */
  readonly isDefault: boolean;
  /** Infinity: never. */
  readonly expireTime: number;
  readonly fields: Fields;
}

/** Whether default reads see the row at `now`. */
export function isVisible(slot: Slot<unknown> | undefined, now: number): boolean {
  return slot?.isDefault === true && slot.expireTime > now;
}

/** The columns of `memory m` that slotOfRow reads. */
export const SLOT_COLUMNS =
  "m.id, m.importance, coalesce(m.event_time, m.create_time) AS time, m.state, m.expire_time";

export function slotOfRow(row: Row): Slot<RankingFields> {
  return {
    isDefault: row["state"] === "ACTIVE",
    expireTime: row["expire_time"] === null ? Number.POSITIVE_INFINITY : Number(row["expire_time"]),
    fields: { id: String(row["id"]), time: Number(row["time"]), importance: Number(row["importance"]) },
  };
}

export function slotOf(memory: Memory): Slot<RankingFields> {
  return {
    isDefault: memory.state === "ACTIVE",
    expireTime: memory.expireTime ?? Number.POSITIVE_INFINITY,
    fields: { id: memory.id, time: memory.eventTime ?? memory.createTime, importance: memory.importance },
  };
}
