/** Where use cases say what an operator should know. Fields never hold prompts or texts. */
export interface Log {
  warn(fields: object, message: string): void;
}

/** A log for what has to be told apart: what somebody must act on, and what nobody need read. */
export interface OperatorLog extends Log {
  error(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}
