/** The log of use cases, for operators. Fields never contain prompts or texts. */
export interface Log {
  warn(fields: object, message: string): void;
}

/** A log with levels: `error` requires action by an operator, `debug` is for debugging only. */
export interface OperatorLog extends Log {
  error(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}
