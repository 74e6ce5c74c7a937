/**
 * How soon the answer to a prompt is another one: LIVE within minutes, DAILY within hours, RECENT within weeks, STABLE not
 * foreseeably.
 */
export type Volatility = "LIVE" | "DAILY" | "RECENT" | "STABLE";

/**
 * Quoted texts, code and identifiers: "what does today() return?" does not ask about today. An identifier has a sign
 * inside or a bracket behind.
 */
const NOT_PROSE = /```[\s\S]*?(?:```|$)|`[^`\n]*`|"[^"\n]*"|“[^”\n]*”|\S*\w[_$/\\=<>@#.]\w\S*|[\w.]+\(\S*/g;

const NOW =
  "(?:right now|now|today|tonight|tomorrow|currently|at the moment|this (?:morning|afternoon|evening))";
const CURRENT =
  "(?:current|latest|live|real-?time|today's|tonight's|tomorrow's|newest|breaking|up-to-the-minute)";
const QUOTED =
  "(?:prices?|(?:exchange |interest |conversion )?rates?|quotes?|stocks?|scores?|standings|odds|news|headlines|weather|forecast|temperature|traffic)";

/** Questions about weather, prices, news, scores, traffic, and what time or day it is. */
const LIVE: readonly RegExp[] = [
  new RegExp(`\\b${CURRENT}(?: \\S+){0,3} ${QUOTED}\\b`),
  new RegExp(`\\b${QUOTED}(?: \\S+){0,5} ${NOW}\\b`),
  /\b(?:what|how|when)(?:'s| is| are|s)?(?: \S+){0,2} (?:weather|forecast|traffic)(?: (?:like|in|for|on|at|near|outside|there|here)\b|\?|$)/,
  /^(?:the )?(?:weather|forecast|traffic)(?: (?:like|in|for|on|at|near|outside|there|here)\b|\?|$)/,
  /\b(?:will|is) it (?:going to )?(?:rain|snow|be (?:hot|cold|sunny|windy)|raining|snowing|sunny|windy)\b/,
  /\b(?:what|how much)(?:'s| is|s)? (?:the )?(?:(?:stock|share|spot) )?price of (?:bitcoin|ethereum|gold|silver|oil|gas)\b/,
  /(?<!\ban? )\b(?:bitcoin|btc|ethereum|eth|gold|silver|oil|gas|stock|share) prices?(?: (?:in|of|for)\b.*)?\??$/,
  /\bwhat(?:'s| is|s)? (?:the )?(?:present )?exchange rate (?:of|for|from|between)\b/,
  /\bwhat(?:'s| is|s)? (?:the )?(?:time|date)(?: (?:is it|in|at)\b.*| now)?\??$/,
  /\bwhat (?:time|date|day) is it\b|\bwhat(?:'s| is) (?:today's date|the day today)\b/,
  /\bwhat(?:'s| is|s) (?:happening|going on|new) (?:in|at|now|today)\b/,
  /\bwho(?:'s| is|s) (?:winning|leading|ahead)\b|\b(?:score|result) of (?:the|today's|tonight's)\b.*\b(?:game|match|race|election)\b/,
  new RegExp(`\\b(?:is|are) (?:\\S+ ){1,5}(?:open|closed|down|offline|online|delayed|on air) ${NOW}\\b`),
  /\bwie (?:ist|wird) das wetter\b|\bwie spät ist es\b|\bquel temps fait[- ]il\b|\bquelle heure est[- ]il\b|\bqué tiempo hace\b|\bqué hora es\b/,
];

/** Names a month, a season or a year, or asks for what is usual or past: the weather in July is not that of today. */
const NOT_LIVE =
  /\b(?:january|february|march|april|june|july|august|september|october|november|december|in may|(?:19|20)\d\d|spring|summer|autumn|winter|usual(?:ly)?|normal(?:ly)?|typical(?:ly)?|average|was|were|did)\b/;

/** Words that refer to the day or the moment of the question. */
const DAILY =
  /\b(?:today|tonight|tomorrow|yesterday|right now|now|currently|at the moment|at present|this (?:morning|afternoon|evening)|last night|as of now)\b|\b(?:heute|jetzt|momentan|aktuell|morgen|gestern|aujourd'hui|maintenant|actuellement|demain|hoy|ahora|actualmente|mañana)\b/;

/** "By now", "from now on" and the like refer to no moment. */
const NO_MOMENT =
  /\b(?:by|until|till|from|just|even|every) now(?: on)?\b|\bnow that\b|\bnow and then\b|\bnow,? (?:i|we|let)\b/g;

const RECENT =
  /\b(?:latest|newest|most recent|recent|upcoming|up-to-date|nowadays|these days|so far|this (?:week|month|quarter|season|year)|(?:last|next) (?:week|month|quarter|season))\b|\bwho(?:'s| is|s) the (?:current )?(?:president|prime minister|chancellor|ceo|champion|king|queen|pope|mayor)\b/;

/** Only the beginning is looked at: what follows is mostly quoted material. */
const MAX_CHARACTERS = 2000;

/** Rules over the words of a prompt; English, with the commonest words of German, French and Spanish. */
export function volatilityOf(prompt: string): Volatility {
  const text = prompt
    .slice(0, MAX_CHARACTERS)
    .replaceAll(/[’‘]/g, "'")
    .replaceAll(NOT_PROSE, " ")
    .toLowerCase()
    .replaceAll(/\s+/g, " ")
    .trim();
  if (!NOT_LIVE.test(text) && LIVE.some((pattern) => pattern.test(text))) return "LIVE";
  if (DAILY.test(text.replaceAll(NO_MOMENT, " "))) return "DAILY";
  return RECENT.test(text) ? "RECENT" : "STABLE";
}
