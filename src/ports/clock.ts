/** The current time, which tests can set. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}
