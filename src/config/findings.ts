/** What is wrong, and what an operator should know although nothing is; collected while the sources are read. */
export interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}
