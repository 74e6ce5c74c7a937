import type { CandidateFacts } from "../../ports/memory-store.ts";
import type { Reply } from "./client.ts";
import { asciiOf } from "./replies.ts";

export interface MemoryFacts extends Omit<CandidateFacts, "id"> {
  /** Milliseconds since the epoch; undefined: it has no end. */
  readonly expireTime: number | undefined;
}

/**
 * What a search reads of each candidate beside its text: create time, event time, importance and end with a space
 * between, absent ones empty, in the one field that lib/memory.lua writes. Each field of an answer costs Redis and this
 * process more than what is in it, and a search reads some hundred candidates.
 */
export function unpackFacts(facts: Reply | undefined): MemoryFacts {
  const [created = "", event = "", importance = "", expire = ""] = (asciiOf(facts) ?? "").split(" ");
  return {
    time: Number(event === "" ? created : event),
    importance: Number(importance),
    expireTime: expire === "" ? undefined : Number(expire),
  };
}
