import { openLexicon } from "../../src/adapters/lexicon/lexicon-file.ts";

/** The lexicon of the service. */
export const ENGLISH = await openLexicon();
