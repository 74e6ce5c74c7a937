import { Memory_Kind } from "#gen/recollect/v1/memory_pb.js";

/** Memory kinds on the command line: `semantic` is KIND_SEMANTIC. */
export type KindName = "episodic" | "semantic" | "procedural" | "message" | "summary";

const KINDS: Readonly<Record<KindName, Memory_Kind>> = {
  episodic: Memory_Kind.EPISODIC,
  semantic: Memory_Kind.SEMANTIC,
  procedural: Memory_Kind.PROCEDURAL,
  message: Memory_Kind.MESSAGE,
  summary: Memory_Kind.SUMMARY,
};

/** The API value of a kind on the command line. */
export function toKind(name: KindName): Memory_Kind {
  return KINDS[name];
}
