import { type Document, LineCounter, parseDocument } from "yaml";

export interface YamlText {
  /** To be used only when there are no problems. */
  readonly document: Document;
  readonly problems: readonly string[];
  /** The line of a position, both as the parser counts them. */
  readonly lineAt: (position: number | undefined) => number;
}

/** What following its aliases can show, when the content is asked for. */
export const BROKEN_ALIAS = "has an alias that leads nowhere, or to too much";

/**
 * Parses a file that may hold secrets: what is wrong is said by line and kind alone, where the parser's own words quote
 * the file. Scalars are taken as they are written.
 */
export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const lineAt = (position: number | undefined): number => lines.linePos(position ?? 0).line;
  const problems = document.errors.map(({ code, pos }) => `line ${lineAt(pos[0])}: is no YAML (${code})`);
  return { document, problems, lineAt };
}
