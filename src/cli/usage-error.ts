/** An invalid argument or file. Its message is printed without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
