/**
 * Word tables of the notation reader, written by hand for this project. They only decide which writing is literal; a
 * row that changes what an analysis stores needs a new ANALYSIS_VERSION.
 */

function list(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** Words of programming, markup and shells: beside them marks and quotes are code, not punctuation. */
export const TECHNICAL = list(
  `python javascript typescript kotlin haskell scala php perl bash zsh shell powershell sql mysql postgres postgresql sqlite
  html css yaml yml json toml xml markdown latex tex vim vi emacs regex regexp regexes glob globs nodejs react vue angular
  django flask linux unix git docker kubernetes makefile cmake gcc clang golang lua julia matlab erlang elixir clojure
  fortran cobol assembly graphql redis mongodb csv ini dockerfile nginx prolog lisp scheme smalltalk js ts jsx tsx cpp vba excel awk sed grep curl ls mv cp mkdir rmdir chown wget rsync scp npm pip ssh sudo chmod
  function functions string strings array arrays operator operators syntax compiler script macro identifier identifiers
  keyword keywords literal literals boolean command parser operand wildcard gitignore crontab cron printf null nil nan undefined jinja numpy pandas pytorch tensorflow
  matplotlib scipy webpack eslint pytest junit maven gradle rails laravel kafka terraform ansible kubectl dataframe powershell ocaml fsharp sass scss pascal
  delphi racket verilog vhdl solidity groovy svelte`,
);

/** Languages whose names are words of prose: technical only behind "in", long ones behind "does", "with" and "using" too. */
export const TECHNICAL_AFTER_IN = list("c go rust swift ruby java r d dart basic ada elm nim zig jest");

/** Commands of shells: a mark by itself behind one of them is its argument. */
export const COMMANDS = list(
  "cd ls cat cp mv rm git add find grep echo make docker tar curl ssh diff source sudo du chmod open cmd sort pwd",
);

/** Words that introduce a sign: the text after them is literal. */
export const MARK_NOUNS = list(
  "operator operators symbol symbols sign character characters mark regex regexp pattern glob emoticon smiley emoji key",
);

/** Tasks that process a text letter by letter: quoted texts and texts after a colon are literal. */
export const EXACT_TASKS = list(
  `replace rename search searching grep match matches matching split join print prints echo output outputs reverse reversed
  palindrome palindromes anagram anagrams length count concatenate append prepend trim string strings substring md5 sha sha-1
  sha-256 sha256 hash hashes encode decode encoded decoded base64 rot13 ascii unicode urlencode uppercase upper-case lowercase
  lower-case capitalize capitalise capitals casing case titlecase spell spelled spelling letters letter characters character
  vowels consonants column sort sorted tokenize tokenise repeat starts ends contains begins prefix suffix escape unescape regex
  punctuation punctuate proofread camelcase snakecase acronym acronyms initials initialism morse spaces whitespace newline newlines indentation capitalization capitalisation remove strip alphabetize alphabetise hyphenate deduplicate grammar correct exactly verbatim literally type typed cipher encrypt decrypt parse`,
);

/** Words that, with a colon, introduce code. */
export const CODE_NOUNS = list(
  `code line lines snippet statement command commands expression query regex pattern formula function equation program script
  loop condition config selector rule declaration definition python javascript typescript java rust bash sql css html yaml json
  xml latex markdown c go ruby php kotlin swift haskell perl assignment call type`,
);

/** Tasks that process a text word by word: capitals count, spacing and the last mark do not. */
export const WORDING_TASKS = list(
  "translate translation transliterate pronounce pronounced pronunciation rephrase rewrite paraphrase summarize convert",
);

/** Tasks whose answer depends on capitals: their operand is literal, also without quotes. */
export const CASE_TASKS = list(
  "uppercase upper-case lowercase lower-case capitals md5 sha sha1 sha256 sha-256 hash base64 ascii unicode encode codepoint rot13 caesar crc32 bcrypt",
);

/** Words that begin a sentence, also without a capital. */
export const SENTENCE_OPENERS = list(
  `i it its it's i'm i've my we our you your he she they the a an this that there what how why when where who which can could
  would should do does did is are am was were will have has had please if so but and or also thanks thank no yes not any because`,
);

/** Final verbs of a question about notation: the text before them is literal. */
export const TELLING_VERBS = list(
  `do mean match return print output give show select evaluate render produce display yield expand refer stand represent
  indicate denote equal contain list draw`,
);

/** First words of a question: the mark at its end then belongs to the sentence. */
export const ASKING = list(
  `what what's which how why when where who whose whom is are am was were do does did can could would will should shall may might
  have has had`,
);

/** Words before a factorial: a number with an exclamation mark after them, in mathematics. */
export const FACTORIAL_WORDS = list(
  `is are of compute calculate evaluate simplify does do and plus minus times over write expand than between equals mod value
  what's whats find factor by divide multiply integrate sum sqrt log solve prove show`,
);

/** Nouns that an identifier follows. */
export const IDENTIFIER_NOUNS = list(
  "file files folder directory branch var variable function method macro hostname username password constant identifier package repo repository #define #undef #ifdef #ifndef",
);

/** Nouns that an identifier follows after "named" or "called". */
export const NAMED_NOUNS = list(
  "class column table key flag field property parameter tag label attribute header module database user group type component",
);

/** Behind these and an article too, but for what they form compounds with: "the column Order", but "the table join". */
export const HOLDING_NOUNS = list("column table module package trait interface macro model entity");

/** Ends of such compounds. */
export const COMPOUND_ENDS = list(
  "join joins name names schema level type types design width size scan lock",
);

/** Behind these a single letter is a symbol, a key or a quantity. */
export const LETTER_NOUNS = list(
  `does do is are of what's whats key keys press pressing hit hitting prefix symbol variable constant letter command parameter modifier
  option switch register mode motion macro function matrix vector quantity operator format specifier directive axis unit find solve compute calculate evaluate differentiate integrate
  force velocity speed mass energy power voltage current resistance pressure volume temperature radius charge frequency wavelength
  momentum acceleration density entropy enthalpy torque`,
);

/** Behind these a single letter is a member of a series, and typed in both cases: vitamin C, plan b. */
export const SERIES_NOUNS = list(
  "type types vitamin vitamins hepatitis plan gen group class grade gate terminal team section part appendix size",
);

/** Words before a name in code, whose case can be its visibility. */
export const FIELD_NOUNS = list("field property attribute member");

/** Single letters that are words, or names of languages, in either case. */
export const LOOSE_LETTERS = list("a i u c r");

/** Functions that with a capital are their own principal value. */
export const CAPITAL_FUNCTIONS = list("ln log arg");

/** Literals that differ in case between languages. */
export const LITERALS = list("True False None Null Nil NULL TRUE FALSE NIL");

/** Types and classes whose names are words: in code they are another thing with a capital than without. */
export const TYPE_NAMES = list(
  `string set map list integer object self array date number boolean error exception promise symbol function character double
  float long short byte void any some ok err option result vec box type int bool optional record iterator process file path
  thread tuple dict hash proc node element event window document image buffer math random range slice stream future task action
  func kernel default copy clone drop send sync debug print println foo bar baz let var const val main this super nothing just maybe left right`,
);

/** Types whose names are no words: also behind an article they are meant as they are written. */
export const TYPE_SYMBOLS = list("int bool char varchar dict func proc vec println foo bar baz");

/** What declares a name in code: behind one of these it stands as it is spelled. */
export const DECLARING = list(
  "def fn const enum struct extends implements instanceof typedef typeof namespace import override overload subclass instantiate invoke puts println await mock throw throws catch env setenv unset printenv",
);

/** Words with another meaning when capitalised. */
export const CAPITONYMS = list(
  "turkey polish march august china japan lima reading nice job mobile titanic catholic mercury earth cancer aids",
);

/** Fields in which letters are symbols: in another case they stand for something else. */
export const SYMBOL_FIELDS = list(
  `music chord chords guitar piano scale chess opening algebra genetics gene genes genotype allele alleles chemistry chemical
  element isomer strftime physics mathematics math blood statistics probability calculus geometry thermodynamics mechanics
  electronics quantum`,
);

/** Two letters that as an element or chord and as capitals are two things: Co and CO, Am and AM. */
export const CASE_PAIRS = list("co cs hf po os sn sc nb si pb bi ni yb cd am em dm bm fm cm gm no");

/** Units that are another unit in another case. Not k, l, gb and the like, which are typed in both. */
export const CASED_UNITS = list("mm cal s g t b pa mpa mw mv ma nm kn mev mbar");

/** Names that begin with a small letter or have capitals within, and are often typed without them. */
export const SMALL_BRANDS = list(
  `iphone ipad ipod imac icloud ios ipados itunes imessage macos ebay etoro ecommerce ebook esim openai watchos tvos jquery
  mrna trna rrna kwh khz mhz ghz db kb ml mah ph grpc opensuse ios esim esims`,
);

/** Libraries and hosts with a dot in the name, in any case; other dotted names are identifiers. */
export const DOTTED_BRANDS = list(
  `node vue next nuxt express react three d3 angular ember backbone moment chart socket discord alpine solid nest gatsby
  asp vb ml crates draw`,
);

/** Suffixes after the dot in such names: "React.useState" is an identifier. */
export const BRAND_ENDINGS = list("js ts net io gg app");

/** Ends of host names: DNS knows no case. */
export const HOST_ENDINGS = list("com org net io ai gov edu co uk");

/** Abbreviations that are also written without their last dot. */
export const DOTTED_ABBREVIATIONS = list(
  "e.g i.e a.m p.m u.s u.k u.s.a a.k.a w.r.t n.b p.s d.c e.u u.n a.d b.c i.t p.o v.s q.a a.i t.v ph.d",
);

/** Forms of address: "let's eat, grandma". */
export const ADDRESSED = list(
  "grandma grandpa granny mom mum dad daddy mommy mummy kids children baby honey darling boys girls guys folks friends sister brother uncle aunt",
);

/** Words whose hyphen changes the meaning: re-sign a contract, resign from a post. */
export const HYPHEN_TELLS = list(
  `re-sign re-signed re-signing re-cover re-covered re-covering re-form re-formed re-creation re-create re-lease re-leased re-mark
  re-press re-pressed re-sent re-present re-sort re-sorted re-serve re-served re-treat re-treated re-count re-collect re-dress
  re-fuse re-store re-bound re-prove re-search re-act co-op un-ionized un-ionised`,
);
