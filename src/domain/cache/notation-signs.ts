import type { Chunk } from "./notation-chunks.ts";
import { COMMANDS, MARK_NOUNS } from "./notation-words.ts";

// Signs that occur by themselves in prose: dashes, bullets, marks after a space.
const PROSE_MARKS = /^(?:-{1,3}|[?!]{1,3}|\.{1,6}|[,:;&"'*•·()/#]|\?\.|''|"")$/;
/** No sentence ends after these words: a mark after them is part of the question. */
export const OPEN_WORDS =
  /^(?:does|do|did|the|a|an|of|is|are|with|and|or|between|in|use|uses|using|what|what's|by|to|mean|both|called|explain|describe|define|vs|versus|than|as|for|from|about|type|put|write|shows?|see|enter|insert|displays?|prints?|prefix|suffix|escape|escaping|escaped|replace|remove|strip|delete|find|match)$/i;
const MOOD = /^(?:[:;=][-']?[)D(\]PpOo/|*]|<3|\^\^|[\p{Emoji_Presentation}\u263A]){1,9}[.!?]*$/u;

/** Whether a chunk is an emoticon or emoji that expresses a mood and is not the subject of the question. */
export function isMood({ text, previous }: Chunk): boolean {
  return MOOD.test(text) && !OPEN_WORDS.test(previous) && !MARK_NOUNS.has(previous.toLowerCase());
}

/** Whether a chunk without letters and digits is an operator or a sign, not punctuation. */
export function isLoneNotation(chunk: Chunk): boolean {
  const { text, previous, earlier, next, opens, context } = chunk;
  if (MARK_NOUNS.has(previous.toLowerCase())) return true;
  if (text === "&" && next === "") return true;
  if (/^["'`;][.?!]?$/.test(text) && OPEN_WORDS.test(previous)) return true;
  if (/^[$€£¥₹][.,?!]?$/.test(text) && /[0-9]$/.test(previous)) return false;
  if (!PROSE_MARKS.test(text) && text !== "%") return !/^["'()]+[.,?!:;]*$/.test(text) || text === "()";
  if (text === "&" && /^\p{Ll}{3,}$/u.test(previous) && /^\p{Ll}{3,}/u.test(next)) return false;
  // A test that is negated: `[ ! -f x ]`, `if ! grep x`.
  if (text === "!" && (/^-\p{L}/u.test(next) || (/^(?:\[{1,2}|if|while)$/.test(previous) && next !== "")))
    return true;
  const between = operandOf(previous) !== "" && operandOf(next) !== "";
  if (between) return text !== "&" || !/^\p{Lu}$/u.test(previous) || context.technical;
  if (/^[%°‰][CFK]?$/.test(text)) return text === "‰" || operandOf(previous) === "";
  if (next !== "" && !/^[,:;"']+$/.test(text) && OPEN_WORDS.test(previous))
    return (
      !/^[-.]+$/.test(text) ||
      context.technical ||
      /^(?:flag|flags|option|sign|operator|symbol|character|key)\b/.test(next)
    );
  if (/^[.~/*-]+$/.test(text) && COMMANDS.has(earlier.toLowerCase()) && /^\S{1,20}$/.test(previous))
    return true;
  if (COMMANDS.has(previous.toLowerCase())) return !/^[?!,:]+$/.test(text);
  if (text === "?" || text === "!" || text === "?.")
    return operandOf(previous) !== "" && next !== "" && context.technical;
  if (text === "/" || text === "*" || text === "&" || text === ";") return context.technical && !opens;
  if (text === "--" || text === "!!" || text === "??") return context.technical && !/^\p{L}{2,}/u.test(next);
  return false;
}

const OPERAND = /^[-+]?(?:[0-9][0-9.,]*[a-z%]{0,2}|[a-z]|\p{Script=Greek}|\uE000)$/u;

/** A possible operand: a number or a single letter, without brackets and marks; empty for a word. */
export function operandOf(chunk: string): string {
  const core = chunk.replace(/^[([{|]{1,3}/, "").replace(/[)\]}|]{0,3}[.,?!:;]{0,2}$/, "");
  if (OPERAND.test(core.toLowerCase())) return core.toLowerCase().replaceAll(",", "");
  // Identifiers and calls are operands as well, but their spelling counts by itself.
  return /^[\p{L}_$][\p{L}\p{N}_$.]*(?:[([].*|[_$.0-9][\p{L}\p{N}_$.]*|[²³⁰-⁹]+|'+)$/u.test(core) &&
    core.length < 40
    ? "@"
    : "";
}
