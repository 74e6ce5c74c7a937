/** Why an answer is not stored: its prompt is LIVE (see volatilityOf), it says that there is none, or it was cut off. */
export type Unfit = "VOLATILE" | "REFUSAL" | "TRUNCATED";

/** What providers report for an answer that was cut off or blocked; case and separators do not matter. */
const CUT_OFF: ReadonlySet<string> = new Set([
  ...["length", "maxtokens", "maxoutputtokens", "maxlength", "modellength", "modelcontextwindowexceeded"],
  ...[
    "contentfilter",
    "contentfiltered",
    "safety",
    "recitation",
    "blocklist",
    "prohibitedcontent",
    "spii",
    "refusal",
  ],
  ...["incomplete", "error", "cancelled", "canceled", "timeout", "abort", "aborted", "pauseturn"],
]);

/** A longer answer says more than that it is none. */
const LONGEST_REFUSAL = 600;

const CANNOT =
  "(?:can't|cannot|can not|won't|will not|am unable to|'m unable to|am not able to|'m not able to|couldn't|could not)";
const SERVE =
  "(?:help|assist|provide|answer|comply|fulfil+|respond|do that|do this|discuss|create|generate|write|share|continue|support|engage|access|browse|give|offer)";
const FIRST =
  "(?:(?:i'm|i am) (?:very |so |really |truly )?sorry|sorry|unfortunately|apologies|i apologi[sz]e|my apologies)";

const REFUSALS: readonly RegExp[] = [
  new RegExp(
    `^(?:${FIRST}[,.:;]? (?:but |that )?(?:as an? [^,.]{0,40}, )?)?i ?${CANNOT} (?:\\S+ ){0,2}?${SERVE}\\b`,
  ),
  new RegExp(
    `^(?:${FIRST}[,.:;]? (?:but )?)?as an? (?:ai|artificial intelligence|(?:large )?language model)\\b.{0,80}\\b(?:${CANNOT}|don't have|do not have)`,
  ),
  new RegExp(
    `^${FIRST}[,.:;]? (?:but )?i (?:don't|do not) (?:have (?:access|information|any information|enough information|real-?time)|know)\\b`,
  ),
  /^i (?:don't|do not) have (?:access to real-?time|real-?time|enough information|any information)\b/,
  /^i(?:'m| am) (?:just )?an? (?:ai|language model)\b.{0,60}\b(?:can't|cannot|unable|don't)/,
];

/** Whether a finish reason says that the answer was cut off or blocked. Unknown ones do not. */
export function isCutOff(finishReason: string): boolean {
  return CUT_OFF.has(finishReason.toLowerCase().replaceAll(/[^a-z]/g, ""));
}

/** Whether an answer only says that there is none. English. */
export function isRefusal(response: string): boolean {
  if (response.length > LONGEST_REFUSAL) return false;
  const text = response.replaceAll(/[’‘]/g, "'").replaceAll(/\s+/g, " ").trim().toLowerCase();
  return REFUSALS.some((pattern) => pattern.test(text));
}
