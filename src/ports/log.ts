/** The log of use cases, for operators. Fields never hold prompts or texts. */
export interface Log {
  warn(fields: object, message: string): void;
}

/** A log with levels: `error` is what an operator must act on, `debug` what is of use in a search for a fault alone. */
export interface OperatorLog extends Log {
  error(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}
