/** Errors and warnings, collected while the sources are read. */
export interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}
