/** What was typed, or a file that was named, cannot be used. Its message is shown as it is, without a trace. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
