/**
 * Word tables of the prompt analysis and the guard. All of them were written by hand for this project, from
 * knowledge of English usage; none was taken from a corpus, a dictionary or an evaluation set. They are data:
 * adding a row never needs a change of code, but a row that changes what an analysis stores needs a new
 * ANALYSIS_VERSION.
 */

function list(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** Rows of `target: variant variant`, turned into variant -> target. `_` stands for a space in a target. */
function variants(text: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const row of text.trim().split("\n")) {
    const [target = "", others = ""] = row.split(":");
    for (const other of others.trim().split(/\s+/)) map.set(other, target.trim().replaceAll("_", " "));
  }
  return map;
}

function phrases(text: string): readonly (readonly string[])[] {
  const rows = text.trim().split(",");
  return rows.map((row) => row.trim().split(/\s+/)).sort((a, b) => b.length - a.length);
}

/** Rewritten before anything else: contractions, also without their apostrophe, chat spellings, compounds. */
export const SPELLINGS = variants(`
can_not: can't cant cannot cann't
will_not: won't wont
shall_not: shan't
do_not: don't dont
does_not: doesn't doesnt
did_not: didn't didnt
is_not: isn't isnt ain't
are_not: aren't arent
was_not: wasn't wasnt
were_not: weren't werent
have_not: haven't havent
has_not: hasn't hasnt
had_not: hadn't
would_not: wouldn't wouldnt
could_not: couldn't couldnt
should_not: shouldn't shouldnt
must_not: mustn't
what_is: what's whats
how_is: how's hows
where_is: where's wheres
who_is: who's
when_is: when's
why_is: why's
it_is: it's
that_is: that's thats
there_is: there's theres
here_is: here's
he_is: he's
she_is: she's
i_am: i'm im
let_us: let's lets
going_to: gonna
want_to: wanna
got_to: gotta
log_in: login logon
log_out: logout logoff
sign_in: signin
sign_up: signup
sign_out: signout
set_up: setup
back_up: backup
check_out: checkout
e_mail: email
you: u ya
your: ur yuor yor
please: pls plz plse
should: shoud shuld shoudl
would: woud wuld
could: coud culd
what: waht wat wht
which: wich whcih
where: wher whre
when: wehn whn
how: hwo
the: teh hte
there: ther
about: abuot abt
does: deos
have: hav ahve
to_do: todo
promotional: promo
introduction: intro
temperature: temp
account: acct
average: avg
advertisement: ad advert
laboratory: lab
gymnasium: gym
examination: exam
reference: ref
specification: spec
specifications: specs
message: msg
number: num
quantity: qty
address: addr
password: pwd passwd
department: dept
appointment: appt
government: govt gov
management: mgmt
university: uni
apartment: apt
as_soon_as_possible: asap
two_factor_authentication: 2fa tfa
thanks: thx
and: &
versus: vs
without: w/o
with: w/ wiht wth
because: cuz becuase becasue bcause
okay: ok
people: ppl
information: info
application: app
documentation: docs doc
configuration: config
configure: configuring
database: db
repository: repo
directory: dir folder
environment: env
administrator: admin
development: dev
maximum: max
minimum: min
approximately: approx
javascript: js
typescript: ts
kubernetes: k8s
postgresql: postgres
picture: pic photo photograph image
television: tv
telephone: phone
favorite: favourite fave
color: colour
behavior: behaviour
center: centre
theater: theatre
catalog: catalogue
gray: grey
program: programme
check: cheque
adviser: advisor
canceled: cancelled
canceling: cancelling
labeled: labelled
modeling: modelling
fulfill: fulfil
`);

/** Words that may stand for each other almost anywhere. Kept short: a wrong synonym serves a wrong answer. */
export const SYNONYMS = variants(`
buy: purchase
begin: start commence
large: big
small: little
fix: repair
delete: remove erase
fast: quick rapid
movie: film
show: display
car: automobile
error: mistake
help: assist
answer: reply
sick: ill
happy: glad
difficult: hard
simple: easy
close: shut
choose: select pick
required: mandatory
method: way approach
transmit: send
modify: alter
`);

/** Exceptions of "one letter off" and of "same stem": pairs of real words that mean different things. */
export const CONFUSABLES = new Set(
  `adapt/adopt affect/effect message/massage contact/contract desert/dessert moral/morale stationary/stationery
  public/pubic discreet/discrete angel/angle trial/trail causal/casual united/untied calvary/cavalry
  martial/marital intranet/internet sulfate/sulfite nitrate/nitrite phosphate/phosphite interstate/intrastate
  prescribe/proscribe insure/ensure assure/insure formal/format format/former storage/shortage united/unites
  country/county council/counsel counselor/councilor complement/compliment dairy/diary dinner/diner
  device/devise advice/advise personal/personnel principal/principle quiet/quite through/though thorough/through
  thought/though weather/whether mother/bother father/farther brother/bother mouse/house course/coarse
  source/course cruise/bruise patient/patent parent/patent section/suction station/nation relation/elation
  version/aversion allusion/illusion elusion/illusion eminent/imminent emerge/merge immigrate/migrate
  perfect/prefect precede/proceed prosecute/persecute median/medial medical/medial medication/meditation
  mediation/medication mediation/meditation recreation/creation reaction/creation reaction/traction
  inject/infect infect/insect inspect/insect insert/invert insert/inset revert/invert convert/covert
  convert/convent expect/except accept/except access/excess process/progress recession/secession
  conservation/conversation corporation/cooperation complaint/compliant receipt/recipe resent/recent
  monitor/monitors planet/plane planed/planned bitten/kitten button/cotton batter/butter better/butter
  bitter/better better/letter latter/letter matter/mutter litter/letter master/muster faster/foster
  poster/porter sister/mister winter/winner hunter/hinter market/basket carrot/parrot pocket/rocket
  packet/pocket jacket/racket socket/rocket ticket/picket bucket/bracket budget/gadget target/garget
  marry/merry barrel/barren lesson/lessen reason/treason season/reason treaty/treat virtue/virtual
  import/impart import/improve export/expert expand/expend extend/expend extent/extend intent/intend
  intense/intents absorb/adsorb absorption/adsorption fission/fusion flour/flower floor/flood
  alkane/alkene alkene/alkyne propane/propene butane/butene ethane/ethene methane/methanol
  glycine/glycerine cytosine/cysteine thiamine/thymine adenine/adenosine arteries/arterial
  insulin/inulin inhibit/inhabit exercise/exorcise altitude/attitude aptitude/attitude aptitude/altitude
  latitude/altitude ration/ratio rations/ratios carton/cartoon cannon/canon coral/corral moment/movement
  mantle/mantel pedal/petal pedals/petals metal/mental metal/medal mettle/metal censor/sensor sensors/censors
  census/consensus statue/statute status/statue stature/statue track/truck crack/crash crash/clash
  flash/flush brush/crush slash/splash stack/slack stock/stack switch/stitch branch/brunch french/trench
  bright/fright flight/fright flight/slight freight/fright weight/height eighty/eight
  cation/caution caution/auction auction/action faction/fraction fraction/friction fiction/friction
  traction/fraction tension/pension mission/fission passion/mission vision/version division/derision
  collision/collusion infusion/effusion induction/deduction reduction/deduction deduct/deduce
  reduce/seduce produce/product conduct/conduit context/contest content/contest content/context contend/content
  contain/curtain certain/curtain captain/capstan capital/capitol marital/martial genus/genius
  sewage/sewerage savage/salvage village/pillage message/passage massage/passage manager/manger
  ranger/danger stranger/stronger finger/linger singer/finger signer/singer designer/resigner
  design/resign assign/assist persist/resist resist/desist insist/consist consist/consent
  new/news custom/customs good/goods glass/glasses arm/arms physic/physics mathematic/mathematics
  past/paste plan/plane car/care bar/bare star/stare read/ready stud/study wand/wander`
    .trim()
    .split(/\s+/),
);

/** Opposites. Pairs of roles (buyer, seller) and of verbs count too. */
export const ANTONYMS: readonly (readonly [string, string])[] =
  `increase/decrease increase/reduce raise/lower raise/cut grow/shrink open/close open/lock lock/unlock
  start/stop begin/end start/finish begin/finish start/end enable/disable activate/deactivate allow/forbid allow/deny allow/block
  allow/prohibit allow/prevent permit/forbid permit/deny accept/reject accept/decline accept/refuse
  approve/reject approve/deny grant/revoke add/delete add/subtract insert/delete create/delete create/destroy
  install/uninstall upload/download import/export encrypt/decrypt encode/decode compress/decompress
  compress/extract zip/unzip push/pull commit/revert read/write load/unload load/save mount/unmount
  attach/detach connect/disconnect join/leave enter/exit enter/leave arrive/depart arrive/leave come/go
  send/receive transmit/receive give/take give/receive lend/borrow buy/sell import/export deposit/withdraw
  withdraw/top earn/spend save/spend gain/lose win/lose pass/fail succeed/fail success/failure profit/loss
  credit/debit asset/liability income/expense revenue/cost push/pop enqueue/dequeue subscribe/unsubscribe
  follow/unfollow like/dislike love/hate like/hate agree/disagree remember/forget show/hide reveal/hide
  expand/collapse expand/contract inhale/exhale heat/cool freeze/melt warm/cool hot/cold warm/cold wet/dry
  hard/soft difficult/simple strong/weak heavy/light light/dark bright/dark bright/dim loud/quiet fast/slow
  early/late young/old new/old ancient/modern large/small tall/short long/short wide/narrow thick/thin
  deep/shallow high/low upper/lower top/bottom front/back left/right inside/outside inner/outer
  internal/external indoor/outdoor north/south east/west northern/southern eastern/western near/far
  full/empty rich/poor cheap/expensive good/bad better/worse best/worst positive/negative true/false
  right/wrong correct/incorrect safe/dangerous safe/harmful clean/dirty healthy/sick alive/dead live/die
  happy/sad friend/enemy public/private free/paid free/expensive legal/illegal male/female man/woman men/women
  boy/girl husband/wife mother/father brother/sister son/daughter king/queen parent/child
  buyer/seller lender/borrower teacher/student landlord/tenant employer/employee sender/recipient
  sender/receiver doctor/patient client/server master/slave producer/consumer host/guest
  first/last next/previous ascending/descending more/less more/fewer most/least many/few maximum/minimum maximize/minimize
  always/never before/after above/below over/under up/down on/off in/out with/without
  advantage/disadvantage benefit/risk benefit/drawback pro/con strength/weakness cause/effect cause/cure
  question/answer problem/solution attack/defend offense/defense war/peace day/night morning/evening
  summer/winter import/export input/output sync/async synchronous/asynchronous static/dynamic
  mutable/immutable horizontal/vertical row/column serial/parallel manual/automatic online/offline
  local/remote domestic/international simple/complex major/minor odd/even acid/base liquid/solid
  plaintiff/defendant guilty/innocent vegetarian/meat permanent/temporary optional/required include/exclude
  inbound/outbound incoming/outgoing upstream/downstream incoming/outgoing upgrade/downgrade promote/demote
  hire/fire marry/divorce sleep/wake sunrise/sunset debit/credit virtual/physical genuine/fake
  cancel/confirm cancel/keep merge/split lead/trail superior/inferior ahead/behind forward/backward forwards/backwards
  widen/narrow strengthen/weaken tighten/loosen borrow/repay bull/bear ceiling/floor
  prepaid/postpaid preheat/cool mild/severe acute/chronic benign/malignant hypertension/hypotension rent/own`
    .trim()
    .split(/\s+/)
    .map((pair) => {
      const [left = "", right = ""] = pair.split("/");
      return [left, right] as const;
    });

/** Prefixes that negate the rest of a word, and prefixes that are each other's opposite. */
export const NEGATING_PREFIXES = ["un", "in", "im", "ir", "il", "dis", "non", "mis", "de", "anti", "a"];
/** See {@link NEGATING_PREFIXES}. */
export const OPPOSED_PREFIXES: readonly (readonly [string, string])[] = [
  ["hyper", "hypo"],
  ["pre", "post"],
  ["over", "under"],
  ["inter", "intra"],
  ["macro", "micro"],
  ["intro", "extro"],
  ["in", "de"],
  ["in", "ex"],
  ["im", "ex"],
  ["up", "down"],
  ["in", "out"],
  ["en", "de"],
  ["en", "dis"],
  ["pro", "anti"],
  ["mono", "poly"],
  ["uni", "bi"],
];

/** Units by their full name: rewritten wherever they stand. */
export const UNITS = variants(`
km: kilometre kilometer kilometres kilometers
m: metre meter metres meters
cm: centimetre centimeter centimetres centimeters
mm: millimetre millimeter millimetres millimeters
mile: miles
ft: foot feet
yd: yard yards
inch: inches
kg: kilogram kilograms kilo kilos
g: gram grams gramme grammes
mg: milligram milligrams
oz: ounce ounces
l: litre liter litres liters
ml: millilitre milliliter millilitres milliliters
gallon: gallons
s: seconds
min: minute minutes
h: hour hours
ms: millisecond milliseconds
day: days
week: weeks
month: months
year: years
kb: kilobyte kilobytes
mb: megabyte megabytes
gb: gigabyte gigabytes
tb: terabyte terabytes
w: watt watts
kw: kilowatt kilowatts
v: volt volts
hz: hertz
c: celsius centigrade
f: fahrenheit
k: kelvin
percent: percentage %
usd: dollar dollars
eur: euro euros
gbp: pound pounds
jpy: yen
inr: rupee rupees
`);

/** Short forms that mean a unit only right behind a number ("min" alone is the minimum). */
export const SHORT_UNITS = variants(`
km: km kms
m: m
cm: cm
mm: mm
mile: mile mi
ft: ft
yd: yd
inch: inch
kg: kg kgs
g: g
mg: mg
lb: lb lbs
oz: oz
l: l
ml: ml
gallon: gallon gal
s: s sec secs second
min: min mins
h: h hr hrs
ms: ms
day: day
week: week wk wks
month: month
year: year yr yrs
kb: kb
mb: mb
gb: gb
tb: tb
w: w
kw: kw
v: v
hz: hz
c: c °c
f: f °f
k: k
percent: percent
usd: usd $
eur: eur €
gbp: gbp £
jpy: jpy ¥
inr: inr ₹ rs
`);

/** Number words below one hundred, and the multipliers as powers of ten. */
export const SMALL_NUMBERS: ReadonlyMap<string, number> = new Map([
  ..."zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    .split(" ")
    .map((word, value) => [word, value] as const),
  ..."twenty thirty forty fifty sixty seventy eighty ninety"
    .split(" ")
    .map((word, index) => [word, (index + 2) * 10] as const),
]);
/** See {@link SMALL_NUMBERS}. */
export const POWERS: ReadonlyMap<string, number> = new Map([
  ["hundred", 2],
  ["thousand", 3],
  ["million", 6],
  ["billion", 9],
  ["trillion", 12],
]);
/** Ordinals from first to twelfth, in order; "second" is left to the number reader, it may be a unit. */
export const ORDINALS =
  "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(" ");

/** Months; short forms and the words that are also verbs count only beside a number or capitalised. */
export const MONTHS = variants(`
1: january jan
2: february feb
3: march mar
4: april apr
5: may
6: june jun
7: july jul
8: august aug
9: september sep sept
10: october oct
11: november nov
12: december dec
`);
/** See {@link MONTHS}. */
export const UNSURE_MONTHS = list("jan mar may jun jul sep dec march august");
/** Days of the week and days seen from today; the latter keep their name. */
export const DAYS = variants(`
mon: monday mondays
tue: tuesday tuesdays tues
wed: wednesday wednesdays
thu: thursday thursdays thurs
fri: friday fridays
sat: saturday saturdays
sun: sunday sundays
today: today todays
tomorrow: tomorrow tmrw
yesterday: yesterday
tonight: tonight
weekend: weekend weekends
noon: noon midday
midnight: midnight
`);

/** Words of courtesy or hesitation; removed everywhere. */
export const FILLERS = list(
  `please kindly thanks actually basically just really very quite so well um uh okay simply maybe perhaps also
  too honestly literally currently possibly anyway however therefore unfortunately sadly luckily hopefully somehow apparently
  obviously definitely certainly surely`,
);
/** Thanks at the end, and phrases without meaning for the answer. */
export const EMPTY_PHRASES = phrases(
  `thank you, thank you very much, thank you so much, thanks a lot, many thanks, in advance, if you can, if possible,
  if you do not mind, by the way, for me, if you could, right now, at the moment, as soon as possible, to me, in order,
  any help is appreciated, any ideas`,
);
/** Verbs that open a request: capitalised there, they are no names. */
export const REQUESTS = list(
  `tell help explain show give write list describe translate summarize convert recommend suggest make find check provide
  create generate fix compare define calculate compute draw draft rewrite correct review outline teach walk name send get set
  change add delete cancel book play turn open close look search read remind sort implement build design what how why when where who`,
);

/** Function words that are dropped after the word order has been read. */
export const EMPTY_WORDS = list(
  `the a an this that these those there here it its they them their theirs some any do does be being is are am as been
  which itself themselves myself yourself would like's such 's one ones so but though even ago own something anything
  here okay herself himself ourselves yourselves whatever whichever hence thus then etc`,
);
/** Auxiliaries and be: they end a prepositional phrase. */
export const AUXILIARIES = list(
  "do does did is are am was were be been being has have had can could may might will would shall should must",
);
/** First, second and third person; objects end in o, owners in 's ("her" may be both). "it" and "they" mostly point at something named elsewhere. */
export const PRONOUNS = variants(`
1: i we
1o: me us
1's: my our mine ours
2: you
2's: your yours
he: he
heo: him
he's: his
she: she
sheo: her
she's: hers
`);
/** Negations. "without" and the like count once each; two negations cancel. */
export const NEGATIONS = list(
  "not no non never none nobody nothing neither nor without nowhere unable impossible lack lacks lacking except",
);
/** Words that carry no content of their own beside others: the guard ignores them where one prompt alone has them. */
export const LIGHT_WORDS = list(
  `method step process procedure tip guide advice instruction tutorial help question information detail thing kind mean meaning
  definition stand explain tell display give list describe know say wonder want need like try wish please still already yet now
  exist happen time people person someone somebody anyone there look way provide suggest recommend possible able issue problem hope
  think believe seem appear notice realize guess feel suppose sure certain specific different other another current recent actual
  particular various correct proper exact available soon again type way approach idea option matter real reason
  case regard concern interested trouble easy easily properly correctly exactly best good better instruct instructions need
  necessary required recently usually normally generally finally suddenly accidentally mistakenly successfully initially
  originally personally specifically particularly especially completely totally absolutely usual typical common general place own new guy`,
);
/** Verbs that take their content from their object; ignored where the other prompt has nothing in their place. */
export const LIGHT_VERBS = list(
  "get make do use go take have put come become find see keep perform receive start begin show",
);
/** Quantifiers and adverbs of frequency; compared as a set. */
export const QUANTIFIERS = variants(`
all: all every each everyone everybody everything entire whole
only: only solely exclusively
most: most mostly
least: least
more: more
less: less fewer
many: many several multiple
few: few
both: both
either: either
half: half halves partly partially
double: double twice
always: always
sometimes: sometimes occasionally
often: often frequently usually
exactly: exactly precisely
almost: almost nearly
enough: enough
minimum: minimum
maximum: maximum
`);
/** Modal verbs by their meaning: what may, should or must be done. */
export const MODALS = variants(`
can: can could may might able possible
should: should ought supposed
must: must shall
`);
/** Before "if" and "whether" they ask for a fact and set no condition. */
export const ENQUIRIES = list(
  "check see know tell ask find verify confirm determine sure test learn decide out wonder unsure",
);
/** Words that open a condition. */
export const CONDITIONS = list("if unless whether");
/** Prepositions and other governing words; a phrase may move as long as it keeps its governing word. */
export const CONNECTORS = list(
  `of in on at by for from to into onto with about as than between among through during before after until till since via
  over under above below inside outside against toward towards upon within across along near per despite regarding`,
);
/** Words that open a clause: what follows belongs to them until a comma or a question word. */
export const SUBORDINATORS = list(
  "if unless whether because while although though once until till before after since when",
);
/** Governing words that exclude each other. */
export const OPPOSED_CONNECTORS = list(
  "on/after after/on on/before before/on during/after after/during during/before before/during while/after after/while from/to to/from from/into into/from from/onto onto/from before/after after/before since/until until/since for/against against/for by/for for/by of/by by/of",
);
/** Governing words that give a direction; a swap of what they govern is reported as such. */
export const DIRECTIONS = list("from to into onto before after since until than toward towards");
/** Particles with an opposite; unmatched they are ignored, except against their opposite. */
export const PARTICLES = list("up down on off in out over under above below inside outside");
/** Question words. "what" and "which" ask for the thing that the rest of the prompt names. */
export const QUESTION_WORDS = list("what which how why when where who whom whose");

/** Irregular past forms, with their base forms. */
export const IRREGULAR_PASTS = variants(`
go: went gone
lose: lost
send: sent
buy: bought
sell: sold
get: got gotten
make: made
find: found
pay: paid
take: took taken
give: gave given
write: wrote written
eat: ate eaten
build: built
forget: forgot forgotten
break: broke broken
steal: stole stolen
see: saw seen
know: knew known
choose: chose chosen
speak: spoke spoken
tell: told
say: said
think: thought
keep: kept
meet: met
teach: taught
win: won
become: became
begin: began begun
run: ran
drive: drove driven
fly: flew flown
fall: fell fallen
grow: grew grown
hold: held
hear: heard
lend: lent
spend: spent
catch: caught
bring: brought
beat: beaten
bite: bit bitten
shoot: shot
feed: fed
lead: led
feel: felt
sleep: slept
stand: stood
understand: understood
wear: wore worn
draw: drew drawn
throw: threw thrown
hide: hid hidden
ride: rode ridden
sing: sang sung
drink: drank drunk
freeze: froze frozen
wake: woke woken
fight: fought
deal: dealt
show: shown
forbid: forbade forbidden
`);

/** What something is done by without a person who does it. */
export const MEANS = list(
  `email mail phone telephone card cash check post bus train car plane ferry boat bike hand text sms fax transfer letter default
  accident mistake law chance app voice credit debit wire courier`,
);
/** Phrases that say the same as one word: rewritten wherever they stand. */
export const PHRASES: readonly (readonly [readonly string[], readonly string[]])[] =
  `get rid of: remove, got rid of: removed,
  getting rid of: removing, get in touch with: contact, getting in touch with: contacting, reach out to: contact, speed up: accelerate, speeding up: accelerating,
  sign up: register, sign up for: register for, fill out: complete, fill in: complete, give back: return, pay back: repay, hand in: submit, put off: postpone,
  call off: cancel, throw away: discard, throw out: discard, make sure: ensure, carry out: perform, find out: learn,
  look up: find, look for: find, looking for: find, a lot of: many, lots of: many, plenty of: many, due to: because of,
  be able to: can, am able to: can, is able to: can, are able to: can, as well as: and, take part in: join,
  all the time: always, each time: always, every time: always, at all times: always,
  come up with: devise, keep on: continue, go on: continue, at least one: a, make use of: use, take care of: handle,
  a number of: several, a couple of: two, in addition to: and, in spite of: despite, next to: near,
  close to: near, in front of: before`
    .split(",")
    .map((row) => row.split(":").map((part) => part.trim().split(/\s+/)))
    .map(([phrase = [], words = []]) => [phrase, words] as const)
    .sort(([a], [b]) => b.length - a.length);

/** Past participles that look like the base form. */
export const INVARIANT_PARTICIPLES = list("cut put set read hit shut let split spread hurt cast burst reset");

/** Names that people also write in lower case: places, languages, products. Deliberately short. */
export const KNOWN_NAMES = list(
  `paris london berlin rome madrid tokyo beijing moscow delhi mumbai sydney toronto chicago boston dublin amsterdam vienna
  france germany italy spain japan china russia india australia austria canada brazil mexico ireland iran iraq sweden
  switzerland norway portugal greece egypt kenya nigeria england scotland america europe africa asia texas california
  english french german italian spanish japanese chinese russian hindi arabic portuguese dutch korean
  python java javascript typescript golang php kotlin scala haskell angular django flask
  mysql postgresql mongodb redis sqlite oracle docker kubernetes linux windows macos ubuntu debian android
  google amazon microsoft facebook netflix twitter instagram whatsapp youtube paypal visa mastercard
  aws azure gcp github gitlab bitcoin ethereum gmail`,
);

/** Common small words of other languages in Latin script; more of them than English ones means: not English. */
export const FOREIGN_WORDS = list(
  `der das und nicht ist ich wie kann mein meine ein eine einen von zu mit für auf wo warum wann kein keine
  le les des est pas je mon ma comment quel quelle où dans pour avec une un du et ne que qui sont
  el los las es como cómo mi puedo para con una por qué cuál del y cuando dónde está
  il lo gli non come mio mia posso perché di che sono della quanto dove
  um uma não meu minha eu posso como onde é em da ao het een niet hoe mijn ik van kan wat waar
  jag inte hur och det att är som på nie jak jest mój moja się czy gdzie bir ve için nasıl ne`,
);
/** Other English function words. */
export const ENGLISH_WORDS = list(
  `the is are and of to i my you your what how why when where who which can could should would will does did for with from
  it this that not an be have has at if by please or there was were about between than up out`,
);
