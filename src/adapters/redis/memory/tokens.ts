import { metadataTokens } from "../../../domain/memory/filter.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import { digest } from "../../../lib/digest.ts";

/**
 * A token stands for one property of a memory: a letter for what it is about, and 20 hex digits of a digest over the id
 * of the namespace, the letter and the value. Two namespaces share no token, so a list of documents is that of one
 * namespace alone; and as nothing that a caller wrote stands in a token, none of it reaches a query.
 */
export type TokenType = keyof typeof TYPES;

const TYPES = {
  namespace: "n",
  state: "x",
  user: "u",
  agent: "g",
  session: "s",
  author: "w",
  kind: "k",
  tag: "t",
  metadata: "m",
  pinned: "p",
} as const;

const DIGITS = 20;

/** Tokens of which `sizes` counts the memories: those that most filters are made of. */
const COUNTED: ReadonlySet<string> = new Set([
  TYPES.namespace,
  TYPES.state,
  TYPES.user,
  TYPES.agent,
  TYPES.session,
]);

export function tokenOf(namespaceId: string, type: TokenType, value: string): string {
  const letter = TYPES[type];
  return `${letter}${digest(namespaceId, letter, value).slice(0, DIGITS)}`;
}

/** The token that every memory of the namespace has. */
export function namespaceToken(namespaceId: string): string {
  return tokenOf(namespaceId, "namespace", "");
}

/**
 * Everything that a filter may ask of a memory by equality; none comes twice. An absent user, agent, session or author
 * is a value like any other: a filter may ask for it.
 */
export function memoryTokens(namespaceId: string, memory: Memory): string[] {
  const one = (type: TokenType, value: string): string => tokenOf(namespaceId, type, value);
  return [
    ...new Set([
      namespaceToken(namespaceId),
      one("state", memory.state),
      one("user", memory.userId),
      one("agent", memory.agentId),
      one("session", memory.sessionId),
      one("author", memory.author),
      one("kind", memory.kind),
      one("pinned", String(memory.pinned)),
      ...memory.tags.map((tag) => one("tag", tag)),
      ...metadataTokens(memory.metadata).map((token) => one("metadata", token)),
    ]),
  ];
}

/** Whether `sizes` knows how many memories have this token. */
export function isCounted(token: string): boolean {
  return COUNTED.has(token.charAt(0));
}
