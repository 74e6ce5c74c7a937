/** Deleted content stays in the log for this long at most: a checkpoint writes up to 4 MB, so it is not done for each deletion. */
export const ERASE_AFTER_MS = 10_000;

/**
 * Empties the write-ahead log some time after a deletion: it holds earlier versions of pages, also with deleted content, and a
 * store that is little written to would keep them for days.
 */
export class LogEraser implements Disposable {
  /** False when it could not be done now. */
  readonly #checkpoint: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(checkpoint: () => boolean) {
    this.#checkpoint = checkpoint;
  }

  /** Call after the commit of a deletion. */
  afterDeletion(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.#checkpoint()) this.afterDeletion();
    }, ERASE_AFTER_MS).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
