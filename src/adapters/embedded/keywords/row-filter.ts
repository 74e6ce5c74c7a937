import type { SQLInputValue } from "node:sqlite";
import type { MemoryFilter, TimeRange } from "../../../domain/memory/filter.ts";

/** A condition on rows of `memory AS m`, with the values it takes. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/**
 * The filter of matchesFilter as SQL. The first condition is always the namespace.
 */
export function memoryCondition(namespaceId: number, filter: MemoryFilter, now: number): Condition {
  const parts: string[] = ["m.namespace_id = ?", "(m.expire_time IS NULL OR m.expire_time > ?)"];
  const values: SQLInputValue[] = [namespaceId, now];
  const add = (sql: string, ...added: readonly SQLInputValue[]): void => {
    parts.push(sql);
    values.push(...added);
  };
  const equal = (column: string, value: string | undefined): void => {
    if (value !== undefined) add(`m.${column} = ?`, value);
  };
  const from = (column: string, value: number | undefined): void => {
    if (value !== undefined) add(`m.${column} >= ?`, value);
  };

  const states = `m.state IN (${placeholders(filter.states)})`;
  const { asOf } = filter;
  if (asOf === undefined) add(states, ...filter.states);
  else {
    // What ceased to be ACTIVE later counts as ACTIVE, whatever it is now.
    if (filter.states.includes("ACTIVE")) add(`(${states} OR m.ended > ?)`, ...filter.states, asOf);
    else add(`${states} AND m.ended <= ?`, ...filter.states, asOf);
    add("m.create_time <= ?", asOf);
    add("(m.valid_from IS NULL OR m.valid_from <= ?)", asOf);
    add("(m.valid_until IS NULL OR m.valid_until > ?)", asOf);
  }
  equal("user_id", filter.userId);
  equal("agent_id", filter.agentId);
  equal("session_id", filter.sessionId);
  equal("author", filter.author);
  if (filter.kinds !== undefined) add(`m.kind IN (${placeholders(filter.kinds)})`, ...filter.kinds);
  if (filter.tagsAny !== undefined) add(`EXISTS (${tagIn(filter.tagsAny)})`, ...filter.tagsAny);
  for (const tag of filter.tagsAll ?? []) add(`EXISTS (${tagIn([tag])})`, tag);
  if (filter.tagsNone !== undefined) add(`NOT EXISTS (${tagIn(filter.tagsNone)})`, ...filter.tagsNone);
  for (const token of filter.metadata ?? []) {
    add("EXISTS (SELECT 1 FROM memory_metadata d WHERE d.row = m.row AND d.token = ?)", token);
  }
  from("create_time", filter.createTime?.start);
  if (filter.createTime?.end !== undefined) add("m.create_time < ?", filter.createTime.end);
  from("event_time", filter.eventTime?.start);
  if (filter.eventTime?.end !== undefined) add("m.event_time < ?", filter.eventTime.end);
  const access = accessIn(filter.lastAccessTime);
  if (access !== undefined) add(access.sql, ...access.values);
  from("importance", filter.importance?.min);
  if (filter.importance?.max !== undefined) add("m.importance <= ?", filter.importance.max);
  if (filter.pinned !== undefined) add("m.pinned = ?", filter.pinned ? 1 : 0);
  return { sql: parts.join(" AND "), values };
}

/** Whether the filter has only the conditions of a default read. */
export function isDefaultFilter(filter: MemoryFilter): boolean {
  const { states, ...others } = filter;
  return (
    states.length === 1 && states[0] === "ACTIVE" && Object.values(others).every((one) => one === undefined)
  );
}

/** Whether most memories pass: it has only conditions on time and state, with ACTIVE. */
export function passesMost(filter: MemoryFilter): boolean {
  const { states, asOf: _, ...others } = filter;
  return states.includes("ACTIVE") && Object.values(others).every((one) => one === undefined);
}

/** Memories that were never accessed have no row in the table. Undefined: the range is open. */
function accessIn(range: TimeRange | undefined): Condition | undefined {
  const { start, end } = range ?? {};
  if (start === undefined && end === undefined) return undefined;
  const bounds = [
    ...(start === undefined ? [] : ["a.last_access_time >= ?"]),
    ...(end === undefined ? [] : ["a.last_access_time < ?"]),
  ];
  return {
    sql: `EXISTS (SELECT 1 FROM memory_access a WHERE a.row = m.row AND ${bounds.join(" AND ")})`,
    values: [start, end].filter((bound) => bound !== undefined),
  };
}

function tagIn(tags: readonly string[]): string {
  return `SELECT 1 FROM memory_tag t WHERE t.row = m.row AND t.tag IN (${placeholders(tags)})`;
}

function placeholders(values: readonly unknown[]): string {
  return values.map(() => "?").join(", ");
}
