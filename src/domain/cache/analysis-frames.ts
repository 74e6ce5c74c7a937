/**
 * Openings of requests, as expressions over the words of a sentence, each followed by one space; "," is a pause, "#" any
 * number. They change no answer, or say only that the rest is to be done.
 */

/** One expression for all: the first that matches counts. */
function frames(...patterns: string[]): RegExp {
  const filled = patterns.map((pattern) =>
    pattern.replace(/<([a-z]+)>/g, (_, name: string) => `(?:${PARTS[name]})`),
  );
  // Each space is that of the word before it, so that a match ends behind a whole word.
  return new RegExp(`^(?:${filled.join("|")})`);
}

const PARTS: Readonly<Record<string, string>> = {
  may: "can |could |would |will |might |may ",
  you: "you |someone |somebody |anyone |anybody |u ",
  ask: "tell |show |explain |teach |inform |advise |clarify |describe |help |guide |give |provide |let ",
  told: "told |showed |explained |helped |gave ",
  to: "to |with |in |on |about |regarding |me |us |out |by |for |know |understand |an idea of |a hint on |an overview of ",
  like: "want |need |wish |hope |would like |would love |should like |wanted |needed |am trying |try |am attempting |am looking |am hoping |am planning |plan |intend |have |got ",
  know: "know |learn |find out |understand |ask |ask you |see |hear |figure out |check |be told |get to know ",
  way: "way |ways |method |methods |approach |approaches |steps |step |process |procedure |procedures |technique |techniques |instructions |instruction |means |trick |tricks |tip |tips |advice |strategy |strategies |guide |guidance |tutorial |option |options |possibility |chance |solution |idea |ideas ",
  good: "a |an |the |any |some |your |my |best |better |good |easy |easiest |simple |simplest |quick |quickest |fast |fastest |right |correct |proper |possible |recommended |usual |most |common |effective |efficient |standard |exact |other |typical |preferred |necessary |required |quick and easy ",
  anybody: "i |we |you |u |one |someone |somebody |people |anyone |anybody |they ",
};

/** Questions for a measure, and the adjective that asks for the same. */
const MEASURES: readonly (readonly [string, string])[] = [
  ["age", "old"],
  ["height", "tall"],
  ["length", "long"],
  ["duration", "long"],
  ["distance", "far"],
  ["size", "big"],
  ["weight", "heavy"],
  ["depth", "deep"],
  ["width", "wide"],
  ["speed", "fast"],
  ["frequency", "often"],
  ["price", "much"],
  ["cost", "much"],
  ["number", "many"],
  ["amount", "much"],
  ["sum", "much"],
];

/** Frames of questions, and the words that ask the same. */
export const QUESTION_FRAMES: readonly (readonly [RegExp, string])[] = [
  ...MEASURES.map(
    ([noun, adjective]) =>
      [
        new RegExp(`^what (?:is|are|was) (?:the )?(?:exact |average |total |current )?${noun}s? of `),
        `how ${adjective} is`,
      ] as const,
  ),
  [
    /^(?:what|which) (?:is|are|was|were) (?:the )?(?:main )?(?:reasons?|explanation) (?:for|why|that|behind) /,
    "why is",
  ],
  [/^(?:for )?what reasons? /, "why"],
  [
    /^(?:is there|what (?:would|could|might) be) (?:a |any |the |some )?(?:particular |specific |good )?reasons? (?:that |why |for )?/,
    "why is",
  ],
  [/^how come /, "why"],
  [/^why do not we /, "should we"],
  [
    /^(?:what|which) (?:is|are|would be) (?:the |a )?(?:best |good |ideal |right |optimal )?(?:times?|moment|season|period) (?:of (?:the )?(?:year|day) )?(?:to|for|when i should) /,
    "when to",
  ],
  [/^(?:at )?what time /, "when"],
  [
    /^(?:what|which) (?:is|are) (?:the )?(?:best |good |ideal |right )?places? (?:to|where i can) /,
    "where to",
  ],
  [/^how much time /, "how long"],
  [/^what (?:makes|causes|caused|made|is causing|is making|could cause|can cause|would cause) /, "why is"],
  [/^what is the (?:current |exact |local )?time /, "when is"],
  [
    /^(?:(?:i|we) (?:am|are) )?(?:looking for|searching for|in search of) (?!help|advice|assistance|support|information|a way|ways)/,
    "where find",
  ],
  [/^(?:what|which) (?:is|are) (?:the )?(?:meaning|definition) of /, "what is"],
  [
    /^(?:give me |what is |can i have |i need |i want |looking for )?(?:a |the |your |any )?(?:good |simple |easy )?recipes? for /,
    "how to make",
  ],
  [/^what is meant by /, "what is"],
  [/^(?:define|give (?:me )?(?:the |a )?definition of|definition of) /, "what is"],
];

/** Dropped: greetings, apologies, and what says only that something is asked. */
export const COURTESY = frames(
  "(?:hi |hello |hey |dear |greetings |good (?:morning |afternoon |evening |day ))+(?:there |all |team |everyone |everybody |guys |folks |sir |madam |friend |friends |[a-z]+ , )*",
  "(?:but |anyway |now |then |ok |okay |and then |alright |right )(?=how |what |where |when |who |why |which |can |could |do |does |is |are |i )",
  "(?:i am )?(?:sorry |excuse |pardon |apologies |forgive )(?:me |us )?(?:to bother you |for (?:bothering you |the trouble |asking |disturbing you |interrupting )|to (?:disturb |interrupt )(?:you )?)?(?:but )?",
  "(?:i )?hope (?:that )?(?:you (?:are )?|this (?:message |email )?finds you |all is |everything is )(?:doing )?(?:fine |good |great |okay |have a (?:good |great |nice )day )?",
  "(?:i have |i have got |i got |just )?(?:a |one |another |two |some )?(?:quick |short |small |simple |brief |stupid |silly |# )*questions? (?:for you )?(?:about |on |regarding |concerning |here |is )?",
  "(?:<may>)(?:<you>)(?:be (?:so )?kind (?:as )?to |be kind enough to |mind |possibly |be able to )?(?:telling |explaining |showing |helping )(?:me |us )?(?:with |out |to )?",
  "(?:<may>)?(?:<you>)?(?:be (?:so )?kind (?:as )?to |be kind enough to |possibly |happen to |be able to |manage to )?(?:<ask>)(?:me |us )(?:<to>)*(?=how |what |where |when |who |why |which |if |whether |the |my |a |an |about |in |[a-z]+ing )",
  "(?:<may>)(?:<you>)(?:be (?:so )?kind (?:as )?to |be kind enough to |possibly |be able to |manage to )?(?:help (?:me |us )(?:to |with |out )?(?:by )?)?(?=(?:tell |help |explain |show |give |write |list |describe |translate |summarize |convert |recommend |suggest |define |compare |calculate |compute |draft |rewrite |outline ))",
  "(?:do |did |would |does |can )(?:<you>)(?:happen to |by any chance |perhaps )?(?:know |have (?:any |an )?(?:idea |information |info )(?:about |on |of )?)",
  "(?:may |can |could |might )(?:i |we )(?:ask |know |get to know |inquire )(?:you )?(?:about )?",
  "(?:i |we )(?:am |are |was |were )?(?:also )?(?:wondering |curious |interested |asking |unsure |confused |not sure )(?:to know |in knowing |about )?(?=how |what |where |when |who |why |which |if |whether )",
  "(?:i |we )(?:<like>)to (?:<know>)(?:about |more about )?(?=how |what |where |when |who |why |which |if |whether |the |my |about |a )",
  "(?:if |whether )(?=(?:<you>)(?:<may>)(?:<ask>))",
  "(?:if |whether )?(?:<you>)(?:<may>)(?:<ask>)(?:me |us )?(?:<to>)*",
  "(?:i |we )(?:would |will |might |shall )?(?:really |greatly |be )*(?:appreciate |grateful |thankful |glad |happy |love |obliged )(?:it )?(?:if |for |when )(?:any |some |your )?(?:(?:<you>)(?:<may>)?(?:(?:<ask>)(?:me |us )?|(?:<told>)(?:me |us )?)?|(?:help |assistance |advice |information )(?:on |with |about |in ))(?:<to>)*",
  "(?:is there )?any (?:chance |way |possibility )(?:that )?(?:<you>)(?:<may>)?(?:<ask>)(?:me |us )?(?:<to>)*",
  "(?:i |we )(?:am |are )?(?:do not |not |can not )(?:quite |fully |completely )?(?:know |understand |understanding |see |get |sure |find out |figure out |certain |clear )(?=how |what |where |when |who |why |which |if |whether )",
  "(?:i |we )(?:have no idea |forgot |wonder )(?=how |what |where |when |who |why |which |if |whether )",
  "(?:please |kindly |tell me |let me know |let us know |advise |help me |help us |help |inform me |remind me (?:of )?|explain (?:to )?me |show me |teach me |guide me |advise me )(?:<to>)*(?:, )?(?=how |what |where |when |who |why |which |if |whether |find |get |with )",
  "help (?:me |us )(?:to |with )?",
  "(?:i |we )(?:need |want |would like )(?:some |your |a little |a bit of )?(?:help |assistance |advice |info |information |guidance )(?:here |please )?(?=, |how |what |where |$)",
  "(?:please |kindly )+",
  "let us ",
  "many thanks |thanks |thank you (?:very much |so much |in advance )?",
);

/** Replaced by "how to". */
export const REQUEST_FRAMES = frames(
  "how (?:do |can |could |should |would |might |may |shall )(?:i |we |one |someone |somebody |people |anyone |anybody |they )(?:go about |best |be able to |ever )?",
  "how (?:do |can |could |should |would )you (?:go about |best )?(?!.*(?:me |my |us |our |i |we ))",
  "how (?:i |we |one |you |someone |people )(?:can |could |should |would |might |may |do |to )",
  "how (?:am i |are we |is one )(?:supposed |able |meant )to ",
  "how does (?:one |someone |somebody |anyone )(?!else )(?:go about )?",
  "how would (?:i |we |you |one )go about ",
  "how to (?:go about |best )?",
  "(?:the )?(?:what |which )(?:is |are |would be |was )(?:<good>)*(?:<way>)(?:to |for (?:me to )?|of |in |on (?:how to )?|i (?:can |could |should )?(?:use |take |follow )?to |that i (?:can |should )|when )",
  "(?:do |does |can |could )(?:you |anyone |someone )(?:have |know |give me |recommend |suggest |share )(?:of )?(?:<good>)*(?:<way>)(?:to |for |of |in |on (?:how to )?|about )",
  "(?:is |are )there (?:<good>)*(?:<way>)(?:to |for (?:me |us |someone )?(?:to )?|of |in |that i can |i can |on |where i can )",
  "(?:give me |show me |list |tell me |describe |explain |suggest |provide |i need |i want |i am looking for |looking for |share |outline )?(?:<good>)*(?:<way>)(?:to |for |of |on (?:how to )?|in which (?:to |i can ))(?=[a-z])",
  "(?:please )?(?:show |tell |teach |explain |describe |advise |learn |know )(?:to )?(?:me |us )?how (?:to |(?:i |we |one |you |someone )(?:can |could |should |do |would )?|do i |can i )",
  "(?:what |which steps )(?:do |can |could |should |must |would |shall )(?:i |we |you |one )(?:have to |need to )?(?:do |take |follow )(?:in order )?(?:to |for |so that i can |so i can |if i want to )",
  "where (?:do |can |should |would )(?:i |we |one |you )(?:go |have to go |need to go )to ",
  "(?:i |we )(?:<like>)(?:some |any |your |a bit of |more )?(?:help |assistance |advice |guidance |instructions |support |info |information )(?:with |on |in |for |about |to |regarding )(?:how to )?",
  "(?:i |we )(?:<like>)to (?:be able to )?",
  "(?:i |we )(?:am |are )(?:having (?:trouble |difficulty |difficulties |problems |a hard time )(?:with )?|struggling (?:with |to )|stuck (?:on |with )|looking for help (?:with |on ))",
  "(?:i |we )(?:do not |can not )(?:know how to |figure out how to |seem to )",
  "(?:need |want |wanna |looking |trying |would like )(?:some )?(?:help |advice )?(?:to |with )",
);
