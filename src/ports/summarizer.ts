/** The answer of a language model. */
export interface ModelAnswer {
  /** Not validated: see validateSummary (domain/compaction/summary-validation.ts). */
  readonly answer: string;
  /** What the provider charged for; 0: it did not say. */
  readonly tokens: number;
}

/** What is summarised: the author (empty: none) and the text. */
export interface SummarizedText {
  readonly author: string;
  readonly text: string;
}

/**
 * Asks a language model for a summary, as JSON by SUMMARY_SCHEMA: one attempt. The texts are data, and may contain instructions
 * for the model; the answer is not trusted.
 */
export interface Summarizer {
  /** Rejects with the signal's reason when that aborts, and with any error when the provider gives no answer. */
  summarize(
    texts: readonly SummarizedText[],
    options: { readonly maxTokens: number; readonly signal: AbortSignal },
  ): Promise<ModelAnswer>;
}
