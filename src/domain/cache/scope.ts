import { digest } from "../../lib/digest.ts";
import { canonicalJson, type JsonObject } from "../../lib/json.ts";
import type { NamespaceKey } from "../access/tenancy.ts";

/** One message of the conversation before the prompt. */
export interface ChatTurn {
  readonly role: string;
  readonly content: string;
  readonly name: string;
  readonly extra: JsonObject;
}

/** What must be equal for a cached answer to be shared: everything that changes an answer apart from the last user text. */
export interface CacheScope {
  readonly model: string;
  readonly systemPrompt: string;
  readonly history: readonly ChatTurn[];
  readonly parameters: JsonObject;
  readonly tools: readonly JsonObject[];
  readonly responseFormat: JsonObject;
  readonly locale: string;
  readonly knowledgeVersion: string;
  /** Who shares answers: see sharingOf. */
  readonly sharing: string;
}

/**
 * Who shares answers within a tenant: everybody (`shared`), the end users behind one credential (neither), or
 * one of those end users (`principal`). The three never meet.
 */
export function sharingOf(
  credential: string,
  choice: { readonly shared: boolean; readonly principal: string },
): string {
  if (choice.shared) return "tenant";
  return choice.principal === ""
    ? digest("credential", credential)
    : digest("user", credential, choice.principal);
}

/** What most scopes have of history and tools. */
const DIGEST_OF_NOTHING = digest();

/** The identity of a scope: entries meet only inside one. JSON counts by value, whatever the order of keys. */
export function scopeFingerprint(scope: CacheScope): string {
  return digest(
    "scope-1",
    scope.model,
    scope.systemPrompt,
    scope.history.length === 0
      ? DIGEST_OF_NOTHING
      : digest(
          ...scope.history.flatMap((turn) => [turn.role, turn.content, turn.name, canonicalJson(turn.extra)]),
        ),
    canonicalJson(scope.parameters),
    scope.tools.length === 0 ? DIGEST_OF_NOTHING : digest(...scope.tools.map(canonicalJson)),
    canonicalJson(scope.responseFormat),
    scope.locale,
    scope.knowledgeVersion,
    scope.sharing,
  );
}

/**
 * A prompt as the exact match sees it: Unicode NFC, line ends as \n, no white space around it. Nothing more is
 * folded: case, inner spaces and compatibility characters can change an answer (us and US, indentation, 2⁵). Of
 * several lines the first keeps its indentation, because in code and lists the others are read against it.
 */
export function normalizePrompt(prompt: string): string {
  const text = prompt.normalize("NFC").replaceAll(/\r\n?/g, "\n").trimEnd();
  const trimmed = text.trimStart();
  if (trimmed.length === text.length || !trimmed.includes("\n")) return trimmed;
  return text.slice(text.lastIndexOf("\n", text.length - trimmed.length) + 1);
}

/** The id of an entry: the same prompt in the same cache scope has the same one, so that storing is idempotent. */
export function cacheEntryId(
  { tenant, namespace }: NamespaceKey,
  fingerprint: string,
  prompt: string,
): string {
  return digest(tenant, namespace, fingerprint, normalizePrompt(prompt));
}
