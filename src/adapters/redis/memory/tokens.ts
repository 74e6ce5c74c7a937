import { metadataTokens } from "../../../domain/memory/filter.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import { digest } from "../../../lib/digest.ts";

/**
 * A token encodes one property of a memory: a letter for its type, and 20 hex digits of a digest over the namespaceId, the
 * letter and the value. Two namespaces share no token, so a posting list belongs to one namespace; and a token contains no
 * text of callers, so none reaches a query.
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

/** The types of tokens that `sizes` counts: those of most filters. */
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
 * The tokens of all properties that a filter can match by equality, without duplicates. An absent user, agent, session or
 * author is a value like any other: a filter can match it.
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

/** Whether `sizes` counts the memories with this token. */
export function isCounted(token: string): boolean {
  return COUNTED.has(token.charAt(0));
}
