/** Where use cases say what an operator should know. Fields never hold prompts or texts. */
export interface Log {
  warn(fields: object, message: string): void;
}
