import { type Document, LineCounter, parseDocument } from "yaml";

export interface YamlText {
  /** Valid only without problems. */
  readonly document: Document;
  readonly problems: readonly string[];
  /** The line of a position, in the numbering of the parser. */
  readonly lineAt: (position: number | undefined) => number;
}

/** Errors of aliases, which are found when the content is read. */
export const BROKEN_ALIAS = "has an alias that leads nowhere, or to too much";

/**
 * Parses a file that may contain secrets: problems have line and kind only, because the messages of the parser quote the
 * file. Scalars keep their source text.
 */
export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const lineAt = (position: number | undefined): number => lines.linePos(position ?? 0).line;
  const problems = document.errors.map(({ code, pos }) => `line ${lineAt(pos[0])}: is no YAML (${code})`);
  return { document, problems, lineAt };
}
