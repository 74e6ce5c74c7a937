import type { ItemKind, PromptAnalysis } from "./analysis.ts";
import { isGenericYou } from "./analysis-courtesy.ts";
import { assignSlots, type Draft, markOwner, toActive, verbFirst } from "./analysis-order.ts";
import { levelWord, stemWord } from "./analysis-stems.ts";
import type { Token } from "./analysis-tokens.ts";
import {
  capitalsCarryMeaning,
  HOW_MUCH,
  isContentWord,
  isPastForm,
  isVerbAt,
  nameAt,
  readObligation,
  readOpening,
  readQuestion,
  readTense,
} from "./analysis-verbs.ts";
import {
  AUXILIARIES,
  CONDITIONS,
  CONNECTORS,
  EMPTY_WORDS,
  ENQUIRIES,
  INVARIANT_PARTICIPLES,
  MODALS,
  NEGATIONS,
  PARTICLES,
  PRONOUNS,
  QUANTIFIERS,
  QUESTION_WORDS,
  SUBORDINATORS,
  SYNONYMS,
} from "./analysis-words.ts";

const SYNONYM_OF_STEM = new Map([...SYNONYMS].map(([word, target]) => [stemWord(word), target]));

/** Questions that a question word in a later sentence replaces. */
const YES_OR_NO = new Set(["", "whether", "can"]);
/** Auxiliaries behind which the subject stands, when "what" or "which" and a noun are before them. */
const FRONTING = /^(?:do|does|did|can|could|should|would|will|must|may|might|shall)$/;

/** The result of reading the words of an English prompt. */
export type EnglishAnalysis = Pick<
  PromptAnalysis,
  "items" | "particles" | "negations" | "quantifiers" | "modality" | "question"
>;

/** `tokens`: those of the raw text with numbers read and phrases rewritten, and the end of the text. */
export function analyzeEnglish(raw: readonly Token[], tokens: readonly Token[]): EnglishAnalysis {
  return new EnglishReader(raw, tokens).read();
}

/** A word and its context. */
interface Word {
  readonly at: number;
  readonly token: Token;
  readonly text: string;
  readonly previous: Token | undefined;
  readonly next: Token | undefined;
  /** A sentence or a clause behind a pause begins here. */
  readonly opens: boolean;
  readonly isName: boolean;
}

/** Reads tokens from left to right; its state is the context of the previous words. */
class EnglishReader {
  readonly #tokens: readonly Token[];
  readonly #capitalsTell: boolean;
  readonly #items: Draft[] = [];
  readonly #particles: string[] = [];
  readonly #negations: string[] = [];
  readonly #quantifiers: string[] = [];
  readonly #modality = new Set<string>();
  #question = "";
  /** The governing word of the next item, and of the enclosing clause. */
  #after = "";
  #clause = "";
  #joint: Draft["joint"] = "";
  /** The open negation, whose denied item has not been read; -1: none. */
  #openNegation = -1;
  #deniesVerb = false;
  /** Item indexes of the parts of a possible passive; -1: not found yet. */
  #passive = { start: 0, be: -1, verb: -1, agent: -1 };
  #isOrdered = true;
  /** Where the items of the sentence begin. */
  #sentence = 0;
  #sentences = 0;
  /** Where the items behind "what" or "which" begin; -1: no auxiliary can follow them. */
  #front = -1;
  #fronted: { readonly from: number; readonly to: number } | undefined;

  constructor(raw: readonly Token[], tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#capitalsTell = capitalsCarryMeaning(raw);
  }

  read(): EnglishAnalysis {
    for (const [at, token] of this.#tokens.entries()) this.#readToken(at, token);
    // "Will I be able to" is "can I".
    if (this.#modality.has("can")) this.#modality.delete("future");
    if (this.#isOrdered) assignSlots(this.#items);
    else for (const [index, item] of this.#items.entries()) [item.slot, item.joined] = [index, false];
    return {
      items: this.#items.map(({ at: _, joint: __, sentence: ___, ...item }) => item),
      particles: this.#particles.sort(),
      negations: this.#negations.sort(),
      quantifiers: this.#quantifiers.sort(),
      modality: [...this.#modality].sort(),
      question: this.#question,
    };
  }

  #readToken(at: number, token: Token): void {
    const { kind, text } = token;
    if (kind === "pause" || kind === "stop") {
      this.#endSentence();
      if (kind === "stop") this.#beginSentence();
      this.#joint = kind === "pause" ? "pause" : "";
    } else if (kind === "number") {
      this.#push("number", token.unit === "" ? text : `${text} ${token.unit}`, text, at);
    } else if (kind !== "word") {
      this.#push(kind, text, text, at);
    } else {
      const previous = this.#tokens[at - 1];
      const opens = previous === undefined || previous.kind === "stop" || previous.kind === "pause";
      const isName = nameAt(this.#tokens, at, this.#capitalsTell, opens);
      const word = { at, token, text, previous, next: this.#tokens[at + 1], opens, isName };
      if (!this.#takeFunctionWord(word)) this.#addWord(word);
    }
  }

  /** Each step takes the word, or leaves it to the next. */
  #takeFunctionWord(word: Word): boolean {
    return (
      this.#takePronoun(word) ||
      this.#takeJoint(word) ||
      this.#takeNegation(word) ||
      this.#takeMention(word) ||
      this.#takeClause(word) ||
      this.#takeAuxiliary(word) ||
      this.#takeGetPassive(word) ||
      this.#takeQuantity(word) ||
      this.#takeConnector(word) ||
      this.#takeEmptyWord(word)
    );
  }

  #push(kind: ItemKind, text: string, stem: string, at: number): void {
    const joint = this.#joint;
    this.#items.push({
      kind,
      text,
      stem,
      after: this.#after,
      slot: 0,
      joined: joint === "and",
      at,
      joint,
      sentence: this.#sentences,
    });
    this.#joint = "";
    if (this.#openNegation >= 0) this.#negations[this.#openNegation] = kind === "pronoun" ? "" : stem;
    this.#openNegation = -1;
  }

  #beginSentence(): void {
    this.#sentence = this.#items.length;
    this.#sentences++;
  }

  /** The next item begins a phrase of the same clause. */
  #endPhrase(): void {
    this.#endPassive(this.#passive.start);
    this.#after = this.#clause;
  }

  #endClause(): void {
    this.#endPassive(undefined);
    this.#clause = "";
    this.#after = "";
  }

  #endSentence(): void {
    this.#endClause();
    this.#openNegation = -1;
  }

  /** `start`: where the next may begin, while none is complete; undefined: behind the last item in any case. */
  #endPassive(start: number | undefined): void {
    const { agent, verb, be } = this.#passive;
    const hasAgent = agent >= 0 && this.#items.length > agent;
    if (hasAgent) toActive(this.#items, this.#passive);
    else if (start === undefined && be >= 0 && verb >= 0) verbFirst(this.#items, this.#passive);
    if (start === undefined) this.#moveFronted();
    if (start === undefined || hasAgent)
      this.#passive = { start: start ?? this.#items.length, be: -1, verb: -1, agent: -1 };
  }

  /** "What papers do I need for it": what is needed stands behind the verb, as in a statement. */
  #moveFronted(): void {
    const fronted = this.#fronted;
    this.#fronted = undefined;
    this.#front = -1;
    if (fronted === undefined || this.#items.length <= fronted.to) return;
    this.#items.push(...this.#items.splice(fronted.from, fronted.to - fronted.from));
  }

  #takePronoun({ text, token, next, at }: Word): boolean {
    const person = PRONOUNS.get(text);
    if (person === undefined || (text === "us" && token.capital)) return false;
    const owns = person === "sheo" && isContentWord(next);
    // "How do you reset it?" asks what one does.
    const isGeneric = person === "2" && this.#question === "how" && isGenericYou(this.#tokens, at);
    const shown = owns ? "she's" : isGeneric ? "1" : person;
    this.#push("pronoun", shown, shown, at);
    return true;
  }

  #takeJoint({ text, at, next }: Word): boolean {
    // "I paid, and it failed": two sentences.
    if (text === "and" && /^(?:i|we|it|he|she|they|you)$/.test(next?.text ?? "")) {
      this.#endClause();
      this.#beginSentence();
      return true;
    }
    if (text === "and" || text === "or" || text === "versus") {
      this.#joint = "and";
      return true;
    }
    if (text === "but") {
      this.#endClause();
      this.#beginSentence();
      return true;
    }
    if (text === "respectively") this.#isOrdered = false;
    if (text !== "'s") return false;
    markOwner(this.#items, at);
    return true;
  }

  #takeNegation({ text, opens, next, previous }: Word): boolean {
    // "No, that is not right" denies once.
    if (text === "no" && opens && (next?.kind !== "word" || EMPTY_WORDS.has(next.text))) return true;
    const fails = next?.text === "to" && /^(?:fails?|failed|refuses?|refused)$/.test(text);
    if (!NEGATIONS.has(text) && !fails) return false;
    if (text === "without") {
      this.#endPhrase();
      this.#after = text;
    }
    this.#negations.push("");
    this.#openNegation = this.#negations.length - 1;
    this.#deniesVerb = AUXILIARIES.has(previous?.text ?? "");
    // "What can vegans not eat" is "what can't vegans eat": who comes next is not what is denied.
    if (this.#deniesVerb && this.#question !== "") this.#openNegation = -1;
    return true;
  }

  /** "A while loop", "the if statement": the word is spoken of. */
  #takeMention({ text, at, previous, next }: Word): boolean {
    const governs = CONNECTORS.has(text) || SUBORDINATORS.has(text) || CONDITIONS.has(text);
    if (!governs || !/^(?:a|an|the)$/.test(previous?.text ?? "") || !isContentWord(next)) return false;
    this.#push("code", text, text, at);
    return true;
  }

  #takeClause({ text, at, opens, previous }: Word): boolean {
    const asked = QUESTION_WORDS.has(text) ? readQuestion(this.#tokens, at, opens) : "";
    if (asked === "" && QUESTION_WORDS.has(text) && text !== "when") return true;
    if (asked !== "") {
      this.#endClause();
      if (YES_OR_NO.has(this.#question)) this.#question = asked;
      // "My card was declined, why?"
      if (previous?.kind === "pause") this.#beginSentence();
      if (asked === "what") this.#front = this.#items.length;
      return true;
    }
    if (!SUBORDINATORS.has(text)) return false;
    this.#endClause();
    if (CONDITIONS.has(text) && !ENQUIRIES.has(previous?.text ?? "")) this.#modality.add("if");
    this.#clause = text;
    this.#after = text;
    return true;
  }

  #takeAuxiliary({ text, at, opens, previous, next }: Word): boolean {
    if (AUXILIARIES.has(text)) {
      if (opens && this.#question === "") this.#question = readOpening(text, next?.text ?? "");
      readTense(this.#tokens, at, this.#modality, this.#question);
      this.#endPhrase();
      if (FRONTING.test(text) && this.#front >= 0 && this.#items.length > this.#front) {
        this.#fronted = { from: this.#front, to: this.#items.length };
        this.#passive.start = this.#items.length;
      }
      this.#front = -1;
      if (/^(?:is|are|am|was|were|be|been|being)$/.test(text)) {
        this.#passive.be = this.#items.length;
        // "My card, the new one, was declined": the subject is before the comma.
        if (previous?.kind === "pause" && this.#passive.start === this.#items.length)
          this.#passive.start = this.#sentence;
        // "I wait for the card to be sent": the card is sent.
        if (previous?.text === "to")
          this.#passive.start = Math.max(this.#passive.start, this.#items.length - 1);
      }
      return true;
    }
    const modal = MODALS.get(text);
    if (modal === undefined) return false;
    this.#modality.add(modal);
    return true;
  }

  #takeQuantity({ text, previous }: Word): boolean {
    // Already part of the question.
    if (previous?.text === "how" && (HOW_MUCH.has(text) || text === "come")) return true;
    const quantifier = QUANTIFIERS.get(text);
    if (quantifier === undefined) return false;
    this.#quantifiers.push(previous?.text === "at" ? `at ${quantifier}` : quantifier);
    return true;
  }

  #takeConnector({ text, at, previous }: Word): boolean {
    const isParticle = PARTICLES.has(text);
    if (isParticle) this.#particles.push(text);
    if (!CONNECTORS.has(text)) return isParticle || text === "much";
    const before = previous?.text ?? "";
    if (text === "to" && /^(?:how|what|where|when|want|need|like|able|going|have|try|trying)$/.test(before)) {
      if (before === "how") this.#modality.add("present");
      if (before === "need" || before === "have")
        readObligation(this.#tokens, at, this.#modality, this.#question);
      return true;
    }
    this.#endPhrase();
    this.#after = text;
    const { verb } = this.#passive;
    // "It is safe to drive": driving is not done to it.
    if (text === "to" && verb < 0) this.#passive.be = -1;
    if (text === "by" && verb >= 0 && this.#items.length - verb <= 3)
      this.#passive.agent = this.#items.length;
    return true;
  }

  /** "My card got blocked" is a passive. */
  #takeGetPassive({ text, next }: Word): boolean {
    if (!/^(?:get|gets|got|getting|gotten)$/.test(text) || next?.kind !== "word") return false;
    if (!isPastForm(next.text)) return false;
    if (text === "got") this.#modality.add("past");
    this.#endPhrase();
    this.#passive.be = this.#items.length;
    return true;
  }

  #takeEmptyWord({ text, at, isName, previous, next }: Word): boolean {
    // "Vitamin A" is not an article.
    if (EMPTY_WORDS.has(text) && !(text === "a" && isName)) {
      // "isn't the card …" leaves open what is denied.
      if (this.#openNegation >= 0 && this.#deniesVerb && text !== "any") this.#openNegation = -1;
      return true;
    }
    if (text === "going" && next?.text === "to" && isVerbAt(this.#tokens, at + 2)) {
      this.#modality.add(YES_OR_NO.has(this.#question) ? "future" : "present");
      return true;
    }
    return text === "longer" && NEGATIONS.has(previous?.text ?? "");
  }

  #addWord(word: Word): void {
    const { text, at, isName } = word;
    this.#readTenseOfVerb(word);
    const stem = stemWord(text);
    if (isName) {
      this.#push("name", text, stem, at);
      return;
    }
    const shown = SYNONYM_OF_STEM.get(stem) ?? levelWord(text);
    this.#push(/^[a-z]*$/.test(text) ? "word" : "foreign", shown, stemWord(shown), at);
  }

  #readTenseOfVerb({ text, at, isName, previous, next }: Word): void {
    const pastForm = isPastForm(text) || (this.#passive.be >= 0 && INVARIANT_PARTICIPLES.has(text));
    const subject = this.#items.at(-1);
    const acts =
      subject?.at === at - 1 &&
      !isName &&
      this.#passive.be < 0 &&
      !AUXILIARIES.has(this.#tokens[at - 2]?.text ?? "");
    // "Who won?", "which team wins?", "I used to smoke"
    const asksSubject = (previous?.text === "who" || this.#front >= 0) && this.#passive.be < 0 && !isName;
    if (asksSubject && (pastForm || text.endsWith("s"))) this.#modality.add(pastForm ? "past" : "present");
    if (text === "used" && next?.text === "to" && this.#passive.be < 0) this.#modality.add("past");
    if (pastForm && !isName) {
      if (this.#passive.be >= 0 && this.#passive.verb < 0) this.#passive.verb = this.#items.length;
      if (acts && (subject.kind === "pronoun" || subject.kind === "name")) this.#modality.add("past");
      return;
    }
    if (!acts) return;
    // "I order", "Bob hires"; behind "my" it is no verb, but then another word tells the tense.
    const isAgent = subject.kind === "pronoun" && /^(?:i|we|you|he|she)$/.test(previous?.text ?? "");
    if (isAgent || (subject.kind === "name" && text.endsWith("s"))) this.#modality.add("present");
  }
}
