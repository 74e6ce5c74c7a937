/** A piece of a document that is small enough to be one memory. */
export interface Passage {
  /** The text in the document, without surrounding blank lines. */
  readonly text: string;
  /** The enclosing headings, outermost first, without their markup. Empty before the first heading. */
  readonly headings: readonly string[];
  /** Its position in the document, from 1. */
  readonly index: number;
}

/** Sizes in UTF-16 units. */
export interface SplitOptions {
  /** A passage is closed when the next paragraph would make it longer. Default: 800. */
  readonly targetLength?: number;
  /** No passage is longer. Default: 4,000, which is at most 12,000 bytes of UTF-8. */
  readonly maxLength?: number;
}

const TARGET_LENGTH = 800;
const MAX_LENGTH = 4_000;
/** A passage shorter than this share of the target is continued with the next paragraph or sub-section. */
const SMALL_SHARE = 1 / 4;
/** A code block may extend a passage to this many times the target, to stay with the text that introduces it. */
const CODE_STRETCH = 2;
/** A paragraph is split from this many times the target on, which avoids small remainders. */
const PARAGRAPH_STRETCH = 1.5;
const MAX_HEADING_LENGTH = 160;

type Block =
  | { readonly kind: "heading"; readonly text: string; readonly level: number; readonly title: string }
  | { readonly kind: "code" | "paragraph"; readonly text: string };

/**
 * Cuts Markdown or plain text into passages: at headings first, then between paragraphs, and inside a paragraph
 * only when it is too long by itself. Code blocks stay whole where they fit. Nothing but white space is lost, no
 * surrogate pair is divided, and every string is accepted.
 */
export function splitDocument(document: string, options: SplitOptions = {}): Passage[] {
  // A surrogate pair needs two units.
  const maxLength = Math.max(2, options.maxLength ?? MAX_LENGTH);
  const targetLength = Math.max(1, Math.min(options.targetLength ?? TARGET_LENGTH, maxLength));
  const assembly = new PassageAssembly(targetLength, maxLength);
  for (const block of readBlocks(document)) assembly.add(block);
  return assembly.finish();
}

/** Joins blocks until a passage is full. */
class PassageAssembly {
  readonly #targetLength: number;
  readonly #maxLength: number;
  readonly #passages: Passage[] = [];
  /** The current heading of each level. */
  readonly #path: { readonly level: number; readonly title: string }[] = [];
  #parts: string[] = [];
  #length = 0;
  /** Start of the passage without leading headings; undefined while it is empty or holds only headings. */
  #start: { readonly headings: readonly string[]; readonly level: number } | undefined;

  constructor(targetLength: number, maxLength: number) {
    this.#targetLength = targetLength;
    this.#maxLength = maxLength;
  }

  add(block: Block): void {
    if (block.kind === "heading") this.#enter(block);
    const whole = block.kind === "code" ? this.#maxLength : this.#targetLength * PARAGRAPH_STRETCH;
    const stretch = block.kind === "code" ? CODE_STRETCH : this.#isSmall() ? PARAGRAPH_STRETCH : 1;
    const room = this.#targetLength * stretch;
    const pieces = cut(block.text, Math.min(whole, this.#maxLength), this.#targetLength);
    for (const [at, text] of pieces.entries()) {
      const joined = this.#length + text.length;
      // A heading never ends a passage: the text after it belongs to it.
      const bound = this.#start === undefined ? this.#maxLength : Math.min(room, this.#maxLength);
      // Pieces of one block are not joined, because that would insert a blank line.
      if (this.#parts.length > 0 && (at > 0 || joined > bound)) this.#close();
      this.#parts.push(text);
      this.#length += text.length + 2;
      if (block.kind !== "heading") this.#start ??= { headings: this.#headings(), level: this.#level() };
    }
  }

  finish(): Passage[] {
    this.#close();
    return this.#passages;
  }

  #enter({ level, title }: { readonly level: number; readonly title: string }): void {
    if (this.#start !== undefined && !(this.#isSmall() && level > this.#start.level)) this.#close();
    while (this.#level() >= level) this.#path.pop();
    this.#path.push({ level, title });
  }

  #close(): void {
    const text = this.#parts.join("\n\n");
    if (this.#parts.length > 0) {
      const headings = this.#start?.headings ?? this.#headings();
      this.#passages.push({ text, headings, index: this.#passages.length + 1 });
    }
    this.#parts = [];
    this.#length = 0;
    this.#start = undefined;
  }

  #isSmall(): boolean {
    return this.#length < this.#targetLength * SMALL_SHARE;
  }

  #headings(): string[] {
    return this.#path.map(({ title }) => title).filter((title) => title !== "");
  }

  #level(): number {
    return this.#path.at(-1)?.level ?? 0;
  }
}

function* readBlocks(document: string): Generator<Block> {
  let kind: "code" | "paragraph" = "paragraph";
  let lines: string[] = [];
  let fence = "";
  const take = (): Block[] => {
    const text = trimBlankLines(lines);
    const block: Block[] = text === "" ? [] : [{ kind, text }];
    kind = "paragraph";
    lines = [];
    fence = "";
    return block;
  };
  for (const line of document.split(/\r\n|\n|\r/)) {
    if (fence !== "") {
      lines.push(line);
      if (closesFence(line, fence)) yield* take();
      continue;
    }
    const opened = fenceOf(line);
    const level = headingLevel(line);
    const underlined = lines.length === 1 ? underlineLevel(line) : 0;
    if (opened !== "") {
      yield* take();
      kind = "code";
      fence = opened;
      lines.push(line);
    } else if (level > 0) {
      yield* take();
      yield { kind: "heading", text: line.trim(), level, title: titleOf(line) };
    } else if (underlined > 0) {
      const title = titleOf(lines.join(""));
      lines.push(line);
      const text = trimBlankLines(lines);
      lines = [];
      yield { kind: "heading", text, level: underlined, title };
    } else if (line.trim() === "") {
      yield* take();
    } else {
      lines.push(line);
    }
  }
  // An unclosed fence extends to the end.
  yield* take();
}

/** The opening fence of a code block, also indented in a list; empty for other lines. */
function fenceOf(line: string): string {
  const match = /^\s*(`{3,}|~{3,})([^\n]*)$/.exec(line);
  const [fence = "", info = ""] = match?.slice(1) ?? [];
  // ```like this``` is code inside a line.
  return fence.startsWith("`") && info.includes("`") ? "" : fence;
}

function closesFence(line: string, fence: string): boolean {
  const mark = line.trim();
  return mark.length >= fence.length && mark === fence.charAt(0).repeat(mark.length);
}

/** The level of a line such as `## Usage`; 0 when it is not a heading. */
function headingLevel(line: string): number {
  return /^ {0,3}(#{1,6})(?:[ \t]|$)/.exec(line)?.[1]?.length ?? 0;
}

/** The level that a line of `===` or `---` gives to the line above it; 0 when it is none. */
function underlineLevel(line: string): number {
  const mark = line.trim();
  if (mark.length < 3) return 0;
  if (mark === "=".repeat(mark.length)) return 1;
  return mark === "-".repeat(mark.length) ? 2 : 0;
}

/** The text of a heading, without markup, images, links and tags. */
function titleOf(line: string): string {
  const title = atMost(line.trim(), MAX_HEADING_LENGTH * 4)
    .replace(/^#{1,6}/, "")
    .replace(/[ \t]#+$/, "")
    .replaceAll(/<[^<>]*>/g, "")
    .replaceAll(/!\[[^[\]]*\]\([^()]*\)/g, "")
    .replaceAll(/\[([^[\]]*)\]\([^()]*\)/g, "$1")
    .replaceAll(/[`*]+|\[|\]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return atMost(title, MAX_HEADING_LENGTH);
}

function trimBlankLines(lines: readonly string[]): string {
  const isText = (line: string): boolean => line.trim() !== "";
  const first = lines.findIndex(isText);
  const last = lines.findLastIndex(isText);
  return first < 0
    ? ""
    : lines
        .slice(first, last + 1)
        .join("\n")
        .trimEnd();
}

/** Cuts a text longer than `whole` into pieces of about `target`; a shorter one stays as it is. */
function cut(text: string, whole: number, target: number): string[] {
  const pieces: string[] = [];
  const last = text.length <= whole ? whole : Math.min(whole, target * PARAGRAPH_STRETCH);
  let start = 0;
  while (text.length - start > last) {
    const end = start + cutLength(text.slice(start, start + target + 1), target);
    pieces.push(text.slice(start, end));
    start = end;
  }
  pieces.push(text.slice(start));
  return pieces.map((piece) => piece.replace(/^(?:[ \t]*\n)+/, "").trimEnd()).filter((piece) => piece !== "");
}

/** Split position in a window longer than `target`: after whole lines, else sentences, words, or characters. */
function cutLength(window: string, target: number): number {
  const least = Math.floor(target / 2);
  for (const boundary of ["\n", ". ", " "]) {
    const at = window.lastIndexOf(boundary, target - boundary.length);
    if (at >= least && at + boundary.length <= target) return at + boundary.length;
  }
  return atMost(window, target).length || window.length;
}

/** The first `length` UTF-16 units, one fewer where that would divide a surrogate pair. */
function atMost(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  const next = text.charCodeAt(length);
  const divides = last >= 0xd800 && last <= 0xdbff && next >= 0xdc00 && next <= 0xdfff;
  return text.slice(0, divides ? length - 1 : length);
}
