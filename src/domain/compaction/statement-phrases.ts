/**
 * Ways to say the same of somebody, rewritten into one before a text is analysed. Written by hand from knowledge of English
 * usage, none taken from a data set. A row must not change what is said: "loves" is not "likes", and "works with" not "works at".
 */

const DAY = "(monday|tuesday|wednesday|thursday|friday|saturday|sunday|weekend)";
const NOT = "(?:does not|doesn['’]t|do not|don['’]t|did not|didn['’]t)";

const ROWS: readonly (readonly [string, string])[] = [
  // Likes and dislikes.
  ["(?:enjoys|is fond of|is a fan of|is keen on|likes to have)", "likes"],
  ["(?:enjoy|am fond of|am a fan of|am keen on)", "like"],
  ["(?:can['’]t stand|can not stand|cannot stand|detests|loathes|can['’]t bear|cannot bear)", "hates"],
  [`(?:${NOT} (?:like|enjoy)|is not (?:fond|a fan) of|isn['’]t (?:fond|a fan) of)`, "dislikes"],
  ["likes ((?:[\\p{L}\\p{N}'’-]+ ){1,4}?)(?:better|more) than", "prefers $1over"],
  [
    "prefers ((?:[\\p{L}\\p{N}'’-]+ ){1,4}?)(?:to|rather than|instead of)(?= (?!be\\b|have\\b))",
    "prefers $1over",
  ],
  ["(?:would like|wishes|would love) to", "wants to"],
  ["(?:intends|aims|is planning|is going) to", "plans to"],
  // What somebody has, does and is.
  ["(?:owns|possesses|has got)", "has"],
  ["have got", "have"],
  ["has no", "does not have a"],
  ["(?:named|by the name of|that is called|which is called|who is called)", "called"],
  ["(?:works|is working|is employed) as (an?)", "is $1"],
  ["(?:is employed (?:at|by)|is an employee of|works for|is working (?:at|for))", "works at"],
  [
    "(?:resides|is living|is based|is resident|makes (?:his|her|their) home)(?= (?:in|at|on|near)\\b)",
    "lives",
  ],
  ["(?:is a student at|is studying at|attends)", "studies at"],
  ["(?:is majoring in|majors in|is studying)", "studies"],
  ["(?:is fluent in|can speak)", "speaks"],
  ["(?:aged|(?:at )?the age of) ([0-9]+)", "$1 years old"],
  ["(?:is intolerant to|has an intolerance to|has an intolerance for)", "does not tolerate"],
  ["has an? ([\\p{L}]+) allergy", "is allergic to $1"],
  ["has an? (?:severe |strong )?allergy to", "is allergic to"],
  ["has an? fear of|has a fear of|is scared of", "is afraid of"],
  ["(?:takes place|is held|occurs)", "happens"],
  ["(?:take place|are held|occur)", "happen"],
  ["taken out", "removed"],
  ["(?:has|have) to(?= [a-z]+)", "must"],
  // One word for another.
  ["(?:mum|mom|mommy|mummy)", "mother"],
  ["(?:dad|daddy)", "father"],
  ["kids", "children"],
  ["kid", "child"],
  ["apartment", "flat"],
  ["(?:mobile|cell|cellular) phone", "phone"],
  ["(?:vacation|vacations)", "holiday"],
  ["bike", "bicycle"],
  ["reboots?", "restart"],
  ["preferred", "favorite"],
  ["(?:spouse|partner in marriage)", "spouse"],
  ["(?:by itself|on its own|by himself|by herself|on (?:his|her) own)", "alone"],
  ["whenever possible", "whenever he can"],
  ["(?:at present|at the moment|right now|these days|currently|presently)", "now"],
  // How often, and when.
  ["(?:daily|each day)(?=[.,;!]|$)", "every day"],
  ["(?:weekly|each week)(?=[.,;!]|$)", "every week"],
  ["(?:monthly|each month)(?=[.,;!]|$)", "every month"],
  ["(?:yearly|annually|each year)(?=[.,;!]|$)", "every year"],
  ["(?:a|per|each) (day|week|month|year)(?=[.,;!]|$)", "every $1"],
  [`(?:on )?(?:every|each) ${DAY}`, "on $1s"],
  ["in the (morning|afternoon|evening),? (?:every|each) day", "every $1"],
  ["(?:every|each) (morning|afternoon|evening|night)", "every $1"],
  ["([0-9]{1,2}(?:[:.][0-9]{2})?) in the morning", "$1 am"],
  ["([0-9]{1,2}(?:[:.][0-9]{2})?) (?:in the (?:afternoon|evening)|at night)", "$1 pm"],
  ["([0-9]{1,2})\\.([0-9]{2}) ?(am|pm)", "$1:$2 $3"],
  [
    "the first of (?=(?:the|every|each|january|february|march|april|may|june|july|august|september|october|november|december)\\b)",
    "the 1st of ",
  ],
];

/** One expression for all, because most texts have few of them: row `n` is the group `rn`, its own group `gn`. */
const PHRASES = new RegExp(
  `(?<![\\p{L}\\p{N}'’-])(?:${ROWS.map(([phrase], at) => `(?<r${at}>${named(phrase, at)})`).join("|")})(?![\\p{L}\\p{N}'’-])`,
  "giu",
);

/** The first group of a row, by a name of its own. */
function named(phrase: string, at: number): string {
  return phrase.replace(/\((?!\?)/, `(?<g${at}>`);
}

function rewritten(...match: readonly unknown[]): string {
  const groups = match.at(-1) as Readonly<Record<string, string | undefined>>;
  const at = ROWS.findIndex((_, row) => groups[`r${row}`] !== undefined);
  return (ROWS[at]?.[1] ?? "").replace("$1", groups[`g${at}`] ?? "");
}

/** When something is so, in front of the sentence. */
const FRONTED =
  /^((?:every (?:[a-z]+)|on [a-z]+days?(?: (?:mornings?|afternoons?|evenings?|nights?))?|in (?:[12][0-9]{3}|(?:january|february|march|april|may|june|july|august|september|october|november|december)(?: [12][0-9]{3})?|(?:the )?(?:spring|summer|autumn|winter|mornings?|afternoons?|evenings?))|at (?:night|(?:the )?weekends?)|since (?:[a-z]+ )?[12][0-9]{3}|(?:this|next|last) (?:year|month|week|spring|summer|autumn|winter)))\s*,?\s+(.+?)([.!]?)$/iu;

/** A phrase in front of the subject, up to its article. */
const FRONT_PHRASE =
  /^((?:on|in|at|during|since|for|under|behind|before|after|because of|due to)(?: (?:the|an?|my|his|her|our|their|this|every))?(?: [\p{L}\p{N}:.-]+){1,3}?) (?=(?:the|an?|my|our|his|her|their|this)\b)/iu;

/** The same before a name, which is capitalised. */
const FRONT_BEFORE_NAME =
  /^((?:On|In|At|During|Since|For|Under|Behind|Before|After|on|in|at|during|since|for|under|behind|before|after)(?: (?:the|an?|my|his|her|our|their|this|every))?(?: [\p{Ll}\p{N}][\p{L}\p{N}:.-]*){1,3}) (?=\p{Lu}\p{Ll}+ \p{Ll})/u;

/** The text with phrases that say the same rewritten into one of them. Texts over `limit` characters stay as they are. */
export function rewritePhrases(text: string, limit = 2_000): string {
  if (text.length > limit) return text;
  return text
    .replace(PHRASES, rewritten)
    .replace(FRONTED, (_, front: string, rest: string, end: string) => `${rest} ${front.toLowerCase()}${end}`)
    .replace(FRONT_PHRASE, "$1, ")
    .replace(FRONT_BEFORE_NAME, "$1, ");
}
