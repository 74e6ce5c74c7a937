/** The time. Everything that depends on it asks here, so that a test can set it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}
