import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { analyzePrompt } from "./analysis.ts";
import { type GuardReason, type GuardVerdict, guardPrompts, reasonsAt } from "./guard.ts";
import { GUARD_STRICTNESS, type GuardStrictness } from "./guard-strictness.ts";

function guard(asked: string, stored: string): GuardVerdict {
  return guardPrompts(analyzePrompt(asked), analyzePrompt(stored), ENGLISH);
}

function reasons(asked: string, stored: string, strictness: GuardStrictness): readonly GuardReason[] {
  return reasonsAt(guard(asked, stored), strictness);
}

// Written by hand for this test. A trap must be refused for (at least) the reason it stands under.
const TRAPS: Record<GuardReason, readonly (readonly [string, string])[]> = {
  NUMBER: [
    ["How do I split a bill between 4 people?", "How do I split a bill between 5 people?"],
    ["What is two plus two?", "What is two plus three?"],
    ["Is 1,000 a lot?", "Is 10,000 a lot?"],
    ["What is new in Python 3.10?", "What is new in Python 3.1?"],
    ["Upgrade from v2.1.0", "Upgrade from v2.2.0"],
    ["Write a poem in five lines", "Write a poem in fifteen lines"],
    ["What is the 3rd planet?", "What is the fourth planet?"],
    ["How much is 1.5 million shares?", "How much is 1.5 billion shares?"],
    ["List ten facts about bees", "List facts about bees"],
    ["Who was president in 1990?", "Who was president in 1991?"],
  ],
  UNIT: [
    ["How long is a 5 km run?", "How long is a 5 mile run?"],
    ["What can I buy for $20?", "What can I buy for €20?"],
    ["Is 30 mg a safe dose?", "Is 30 g a safe dose?"],
    ["Set a timer for 10 minutes", "Set a timer for 10 hours"],
    ["Does 16GB suffice?", "Does 16MB suffice?"],
    ["Is 40 °C hot?", "Is 40 °F hot?"],
  ],
  DATE: [
    ["What happened on 5 March 2020?", "What happened on 6 March 2020?"],
    ["Am I free on Monday?", "Am I free on Tuesday?"],
    ["What is the weather today?", "What is the weather tomorrow?"],
    ["Wake me at 6 am", "Wake me at 6 pm"],
    ["Report for 2024-01-05", "Report for 2024-01-06"],
    ["What blooms in June?", "What blooms in July?"],
    ["What is the weather tonight?", "What is the weather?"],
  ],
  NEGATION: [
    ["Which foods contain gluten?", "Which foods do not contain gluten?"],
    ["Should I reply to this?", "Shouldn't I reply to this?"],
    ["Recipes with sugar", "Recipes without sugar"],
    ["Why can I connect to the server?", "Why can't I connect to the server?"],
    ["When do I tip?", "When do I never tip?"],
    ["I want the red one, not the blue one", "I want the blue one, not the red one"],
    ["What to do if nobody answers", "What to do if somebody answers"],
    ["is it ok to eat raw eggs", "is it not ok to eat raw eggs"],
  ],
  ANTONYM: [
    ["How do I increase the volume?", "How do I decrease the volume?"],
    ["How do I enable dark mode?", "How do I disable dark mode?"],
    ["How to turn on notifications", "How to turn off notifications"],
    ["Is the word legal here?", "Is the word illegal here?"],
    ["What are the advantages of solar power?", "What are the disadvantages of solar power?"],
    ["Which stocks are cheap?", "Which stocks are expensive?"],
    ["How do I log in?", "How do I log out?"],
    ["Symptoms of hyperthyroidism", "Symptoms of hypothyroidism"],
    ["Is this mushroom useful?", "Is this mushroom useless?"],
    ["sort in ascending order", "sort in descending order"],
    ["Rights of a landlord", "Rights of a tenant"],
    ["Give me the oldest record", "Give me the newest record"],
    ["Is it the next stop?", "Is it the previous stop?"],
  ],
  DIRECTION: [
    ["Flights from Paris to London", "Flights from London to Paris"],
    ["Translate this from English to French", "Translate this from French to English"],
    ["Should I eat before the exam?", "Should I eat after the exam?"],
    ["Transfer money to savings", "Transfer money from savings"],
    ["Is tea stronger than coffee?", "Is coffee stronger than tea?"],
    ["convert celsius to fahrenheit", "convert fahrenheit to celsius"],
    ["Subtract 5 from 12", "Subtract 12 from 5"],
    ["How do I migrate to Postgres from MySQL?", "How do I migrate to MySQL from Postgres?"],
  ],
  ENTITY: [
    ["What is the capital of Peru?", "What is the capital of Chile?"],
    ["Who founded Tesla?", "Who founded Nokia?"],
    ["best pizza in london", "best pizza in paris"],
    ["Who is Marie Curie?", "Who is Pierre Curie?"],
    ["Where is the office in Ghent?", "Where is the office?"],
    ["Did William call?", "Did Williams call?"],
    ["How do I sort a list in Python?", "How do I sort a list in Java?"],
    ["Was Hannah late again?", "Was Hanna late again?"],
  ],
  CODE: [
    ["What does tar -x do?", "What does tar -c do?"],
    ["What does ls -r do?", "What does ls -R do?"],
    ["Explain get_user_name", "Explain set_user_name"],
    ["What is the type of `a + b`?", "What is the type of `a - b`?"],
    ["Read /etc/hosts for me", "Read /etc/passwd for me"],
    ["How do I learn C?", "How do I learn C++?"],
    ["Is a == b true here?", "Is a != b true here?"],
    ["What does --force do?", "What does --dry-run do?"],
    ["What does 👍 mean?", "What does 👎 mean?"],
    ["Who owns example.com?", "Who owns example.org?"],
    ["What is HTTP/2?", "What is HTTP/3?"],
  ],
  QUANTIFIER: [
    ["Are all swans white?", "Are most swans white?"],
    ["Can only admins delete posts?", "Can admins delete posts?"],
    ["Do cats always land on their feet?", "Do cats sometimes land on their feet?"],
    ["Rooms with at least two beds", "Rooms with at most two beds"],
    ["Delete both files", "Delete either file"],
    ["What is the maximum speed?", "What is the minimum speed?"],
  ],
  MODALITY: [
    ["Should I file taxes?", "Must I file taxes?"],
    ["How do I get a visa?", "How did I get a visa?"],
    ["What happens if I cancel the order?", "What happens when I cancel the order?"],
    ["Will the shop open?", "Does the shop open?"],
    ["Do I have to register?", "Do I register?"],
    ["Is the bridge closed?", "Was the bridge closed?"],
  ],
  ORDER: [
    ["Does Alice love Bob?", "Does Bob love Alice?"],
    ["Did the dog bite the man?", "Did the man bite the dog?"],
    ["Replace tabs with spaces", "Replace spaces with tabs"],
    ["Who did Bob hire?", "Who hired Bob?"],
    ["Mother of the sister of Tom", "Sister of the mother of Tom"],
    ["Alice likes apples and Bob likes pears", "Bob likes apples and Alice likes pears"],
    ["Tom called Ann and Bob called Sue", "Tom called Bob and Ann called Sue"],
    ["Was Alice hired by Bob?", "Did Alice hire Bob?"],
    ["Buy 2 apples and 3 pears", "Buy 3 apples and 2 pears"],
    ["Alice's brother's friend", "Alice's friend's brother"],
  ],
  ROLE: [
    ["Can I send you money?", "Can you send me money?"],
    ["What is my limit?", "What is your limit?"],
    ["Does he trust her?", "Does she trust him?"],
    ["Did you call her?", "Did she call you?"],
  ],
  QUESTION: [
    ["When is the meeting?", "Where is the meeting?"],
    ["Why is the sky blue?", "Is the sky blue?"],
    ["How much does the ticket cost?", "Why does the ticket cost?"],
    ["Who opened the door?", "When did they open the door?"],
    ["How long is the queue?", "How far is the queue?"],
  ],
  SPECIFICITY: [
    ["How do I bake bread?", "How do I bake sourdough bread?"],
    ["Explain recursion", "Explain recursion briefly"],
    ["How do I reset my password?", "How do I reset my router password?"],
  ],
  SUBSTITUTION: [
    ["How do I peel a mango?", "How do I peel a banana?"],
    ["What is the boiling point of ethanol?", "What is the boiling point of methanol?"],
    ["Do plants adapt quickly?", "Do plants adopt quickly?"],
    ["Where is the university library?", "Where is the universe library?"],
    ["Is this news?", "Is this new?"],
  ],
  LANGUAGE: [
    ["Как отменить заказ?", "Как не отменить заказ?"],
    ["東京の天気は?", "大阪の天気は?"],
    ["¿Cómo puedo abrir una cuenta?", "¿Cómo puedo cerrar una cuenta?"],
    ["Wie kann ich mein Konto löschen?", "Wie kann ich mein Konto nicht löschen?"],
    ["Quelle est la capitale du Pérou ?", "What is the capital of Peru?"],
    ["reset my раssword", "reset my password"],
  ],
  INCOMPARABLE: [["word ".repeat(600), "word ".repeat(601)]],
};

// Surface variants: served, and with nothing left over.
const VARIANTS: readonly (readonly [string, string])[] = [
  ["How do I reset my password?", "HOW DO I RESET MY PASSWORD"],
  ["How do I reset my password?", "how do i reset my password"],
  ["How do I reset my password?", "Could you please tell me how do I reset my password?"],
  ["How do I reset my password?", "Hi! How can I reset my password? Thank you"],
  ["How do I reset my password?", "How do I reset my pasword?"],
  ["How do I reset my password?", "how to reset my password"],
  ["What's the capital of France?", "What is the capital of France"],
  ["What is the capital of France?", "What is France's capital?"],
  ["It doesn't work", "It does not work"],
  ["why cant i log in", "Why can't I login?"],
  ["Write 2 poems", "Write two poems"],
  ["Write twenty-five words", "Write 25 words"],
  ["Is 1,000 enough points?", "Is one thousand enough points?"],
  ["Is 10k steps a lot?", "Is 10,000 steps a lot?"],
  ["two hundred and five people", "205 people"],
  ["a 5 km run", "a 5 kilometres run"],
  ["a 5km run", "a five kilometer run"],
  ["Can I pay $5?", "Can I pay 5 dollars?"],
  ["Can I pay $5.00?", "Can I pay 5 USD?"],
  ["A raise of 5%", "A raise of five percent"],
  ["Meet at 5pm", "Meet at 17:00"],
  ["Meet at 5:30 p.m.", "Meet at 5:30 pm"],
  ["Events on March 5, 2024", "Events on 5 March 2024"],
  ["Events on 5th of March 2024", "Events on 2024-03-05"],
  ["Who finished 3rd?", "Who finished third?"],
  ["In Paris, where can I eat?", "Where can I eat in Paris?"],
  ["If it rains, what should I wear?", "What should I wear if it rains?"],
  ["After surgery, when can I drive?", "When can I drive after surgery?"],
  ["Was Hamlet written by Shakespeare?", "Did Shakespeare write Hamlet?"],
  ["The cat was fed by Ann", "Ann fed the cat"],
  ["Recipes with salt and pepper", "Recipes with pepper and salt"],
  ["difference between TCP and UDP", "difference between UDP and TCP"],
  ["Compare apples, pears and plums", "Compare plums, apples and pears"],
  ["Buy two apples and three pears", "Buy three pears and two apples"],
  ["Flights from Paris to London", "Flights to London from Paris"],
  ["How do I cancel an order?", "How do I cancel orders?"],
  ["how do I really just cancel my order", "how do I cancel my order"],
  ["Explain photosynthesis.", "Can you explain photosynthesis, please?"],
  ["What does JavaScript do?", "what does javascript do"],
  ["install node.js", "install Node.js"],
  ["Is this allowed?", "Is this not forbidden?"],
  ["Is the file unavailable?", "Is the file not available?"],
  ["my favourite colour", "my favorite color"],
  ["How to organise a party", "How to organize a party"],
  ["Fix the database", "fix the data base"],
  ["send an e-mail", "send an email"],
  ["What is artificial general intelligence?", "What is AGI?"],
  ["Who wrote this and why?", "who wrote this, and why"],
  ["“Quoted” text", '"quoted" text'],
  ["Is GPT-4 good?", "is gpt 4 good"],
  ["Have you shipped the parcel?", "Did you ship the parcel?"],
  ["ｗｈａｔ is ＡＢＣ", "what is ABC"],
  ["Как отменить заказ?", "как отменить заказ"],
  ["東京の天気は?", "東京の天気は？"],
  ["Explain the enviroment", "Explain the environment"],
  ["How do I recieve mail?", "How do I receive mail?"],
];

// Reworded: no rule may refuse them, and no rule can vouch for them.
const PARAPHRASES: readonly (readonly [string, string])[] = [
  ["How do I get rid of ants in the kitchen?", "What keeps insects away from where I cook?"],
  ["My parcel with the new shoes has not arrived", "The delivery of sneakers has still not come"],
  ["Which phone takes great pictures?", "Recommend a device with an excellent camera"],
  ["How can I learn to swim as an adult?", "Ways for grown people to become swimmers"],
];

describe("guardPrompts", () => {
  for (const [reason, pairs] of Object.entries(TRAPS)) {
    it.each(pairs)(`refuses for ${reason}: %s | %s`, (asked, stored) => {
      expect(reasons(asked, stored, "balanced")).toContain(reason);
      expect(guard(asked, stored).aligned).toBe(false);
    });
  }

  it.each(VARIANTS)("accepts a surface variant: %s | %s", (asked, stored) => {
    expect(guard(asked, stored)).toEqual({ conflicts: [], aligned: true });
  });

  it.each(PARAPHRASES)("leaves a paraphrase to the threshold: %s | %s", (asked, stored) => {
    expect(reasons(asked, stored, "balanced")).toEqual([]);
    expect(guard(asked, stored).aligned).toBe(false);
  });

  it("drops only the two policy reasons at `closed`, and all at `off`", () => {
    for (const [reason, pairs] of Object.entries(TRAPS)) {
      for (const [asked, stored] of pairs) {
        const closed = reasons(asked, stored, "closed");
        if (reason === "SPECIFICITY" || reason === "SUBSTITUTION") expect(closed).toEqual([]);
        else expect(closed).toContain(reason);
        expect(reasons(asked, stored, "off")).toEqual([]);
      }
    }
  });

  it("refuses an analysis of another version", () => {
    const now = analyzePrompt("How do I bake bread?");
    const verdict = guardPrompts(now, { ...now, version: now.version + 1 }, ENGLISH);
    expect(reasonsAt(verdict, "closed")).toEqual(["INCOMPARABLE"]);
  });

  it("accepts a prompt over the cap only for an equal prompt", () => {
    const long = "a long prompt ".repeat(20_000);
    expect(guard(long, long)).toEqual({ conflicts: [], aligned: true });
    expect(reasons(long, `${long}!`, "closed")).toEqual(["INCOMPARABLE"]);
    expect(reasons(long, "a long prompt", "closed")).toEqual(["INCOMPARABLE"]);
  });
});

describe("properties of the guard", () => {
  const everyPrompt = [...Object.values(TRAPS).flat(), ...VARIANTS, ...PARAPHRASES].flat();
  const words = everyPrompt.filter((text) => text.length < 200).flatMap((text) => text.split(" "));
  const sentence = fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((parts) => parts.join(" "));
  const anyText = fc.oneof(
    fc.constantFrom(...everyPrompt),
    sentence,
    fc.string({ unit: "binary", maxLength: 60 }),
    // Any UTF-16 code units, lone surrogates among them.
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 30 })
      .map((units) => String.fromCharCode(...units)),
  );

  it("is symmetric", () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        expect(guard(one, other)).toEqual(guard(other, one));
      }),
      { numRuns: 2_000 },
    );
  });

  it("accepts equal prompts", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(guard(text, text)).toEqual({ conflicts: [], aligned: true });
      }),
      { numRuns: 1_000 },
    );
  });

  it("has all reasons of a looser strictness", () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        const verdict = guard(one, other);
        const counts = GUARD_STRICTNESS.map((strictness) => reasonsAt(verdict, strictness));
        for (const [at, looser] of counts.entries()) {
          for (const stricter of counts.slice(at))
            expect(stricter).toEqual(expect.arrayContaining([...looser]));
        }
        expect(counts[0]).toEqual([]);
        expect(counts.at(-1)).toEqual(verdict.conflicts.map(({ reason }) => reason));
      }),
      { numRuns: 1_000 },
    );
  });

  it("returns the same verdict for an analysis parsed from JSON", () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        const stored = JSON.parse(JSON.stringify(analyzePrompt(other)));
        expect(guardPrompts(analyzePrompt(one), stored, ENGLISH)).toEqual(guard(one, other));
      }),
      { numRuns: 1_000 },
    );
  });

  it("refuses whenever one digit differs", () => {
    const withDigit = fc
      .tuple(
        anyText,
        fc.stringMatching(
          /^[a-z$€v.:,/-]{0,2}[0-9]{1,4}[a-z%:.,/-]{0,2}[0-9]{0,3}( (am|pm|km|May|million))?$/,
        ),
        anyText,
      )
      .map(([before, number, after]) => `${before} ${number} ${after}`);
    fc.assert(
      fc.property(withDigit, fc.nat(), fc.integer({ min: 1, max: 9 }), (text, choice, step) => {
        const places = [...text.matchAll(/[0-9]/g)].map((match) => match.index);
        const place = places[choice % places.length] ?? 0;
        const digit = (Number(text[place]) + step) % 10;
        const changed = `${text.slice(0, place)}${digit}${text.slice(place + 1)}`;
        expect(reasons(text, changed, "closed")).not.toEqual([]);
      }),
      { numRuns: 5_000 },
    );
  });
});
