/** The log of use cases, for operators. Fields never hold prompts or texts. */
export interface Log {
  warn(fields: object, message: string): void;
}

/** A log with levels: ERROR asks for action, DEBUG need not be read. */
export interface OperatorLog extends Log {
  error(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}
