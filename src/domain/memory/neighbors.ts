import type { MemoryFilter } from "./filter.ts";

/**
 * Neighbours are looked for among so many memories on each side, so that a long session of memories that do not pass costs no
 * more than a short one.
 */
export const NEIGHBOR_REACH = 50;

/** The conditions that the neighbours of a result pass: not what the result was searched by, but whose and when it is. */
export type NeighborFilter = Pick<MemoryFilter, "states" | "userId" | "agentId" | "asOf">;

export function neighborFilter({ states, userId, agentId, asOf }: MemoryFilter): NeighborFilter {
  return {
    states,
    ...(userId === undefined ? {} : { userId }),
    ...(agentId === undefined ? {} : { agentId }),
    ...(asOf === undefined ? {} : { asOf }),
  };
}
