import type { Notation } from "./notation.ts";

/** Placeholder for notation that has been removed from a text. */
export const TAKEN = "\uE000";

const STATEMENT =
  /[;{}]$|^(?:import|from|def|class|function|let|const|var|return|print|echo|if|for|while|elif|else|try|except|public|private|static|int|void)\b.*(?:[:;{})=]$|\(|\b(?:import|=)\b)|^(?:return|break|continue|pass|else:|try:|\/\/.*|#include.*|<\/?[a-z].*>|@[a-z].*|\$ .*)$|^[\w.[\]]+ [-+*/|&]?= |^[\w.]+\(.*\)[;,]?$|^\(.*\)$|^(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|GROUP BY|ORDER BY|--)(?: |$)/;
const INDENTED = /^(?:\t| {2,}|[ \t]+(?=- ))\S/;

/** Extracts code in back-ticks, which is compared literally, including white space and case. */
export function takeCodeSpans(text: string, found: Notation[]): string {
  if (!text.includes("`")) return text;
  let rest = "";
  let from = 0;
  while (from < text.length) {
    const open = text.indexOf("`", from);
    if (open < 0) break;
    let width = 1;
    while (text[open + width] === "`") width++;
    const close = text.indexOf("`".repeat(width), open + width);
    rest += text.slice(from, open);
    from = open + width;
    // A back-tick that is never closed is only punctuation, unless it escapes the sign of a variable.
    if (close < 0) {
      if (text[from] === "$") found.push({ kind: "code", text: "`$" });
      continue;
    }
    const { language, code } = withoutInfo(text.slice(open + width, close), width);
    if (language !== "") found.push({ kind: "language", text: language });
    from = close + width;
    if (/^[a-z]*$/.test(code)) {
      rest += code;
      continue;
    }
    found.push({ kind: "code", text: withoutPadding(code) });
    rest += TAKEN;
  }
  return rest + text.slice(from);
}

const ALIASES = new Map(
  Object.entries({ js: "javascript", py: "python", ts: "typescript", sh: "bash", yml: "yaml" }),
);

/** Code between back-ticks, and the language that a fence names in its first line. */
export function withoutInfo(
  code: string,
  width: number,
): { readonly language: string; readonly code: string } {
  const info = width < 3 ? undefined : /^[^\S\n]*([\w+#.-]*)[^\n]*\n/.exec(code);
  if (info === undefined || info === null) return { language: "", code };
  const language = (info[1] ?? "").toLowerCase();
  return { language: ALIASES.get(language) ?? language, code: code.slice(info[0].length) };
}

/** Padding in Markdown: one space on both sides of a line, white space at line ends, the last line end. */
function withoutPadding(code: string): string {
  if (code.includes("\n")) {
    const lines = code.split("\n").map((line) => line.trimEnd());
    return (lines.at(-1) === "" ? lines.slice(0, -1) : lines).join("\n");
  }
  return code.startsWith(" ") && code.endsWith(" ") && code.trim() !== "" ? code.slice(1, -1) : code;
}

/**
 * Extracts the lines of a text that are code: indented lines, because white space is significant in Python, YAML,
 * Markdown and make, and lines that look like statements. They are compared literally, together and in order. A text of
 * one line has none.
 */
export function takeCodeLines(text: string, found: Notation[]): string {
  const body = text.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();
  if (!body.includes("\n")) return body.trim();
  const prose: string[] = [];
  const code: string[] = [];
  let previous = "";
  for (const line of body.split("\n")) {
    const written = line.trimEnd();
    const goesOn = /[:{([]$/.test(previous) || prose.at(-1) === TAKEN;
    const opened = goesOn && /^\s+\S/.test(written);
    if (INDENTED.test(written) || opened || isStatement(written)) {
      code.push(written);
      prose.push(TAKEN);
    } else prose.push(line);
    if (written !== "") previous = written;
  }
  if (code.length === 0) return body;
  found.push({ kind: "code", text: code.join("\n") });
  return prose.join("\n");
}

function isStatement(line: string): boolean {
  return line.length <= 200 && STATEMENT.test(line) && !/\w\(s\)/.test(line);
}
