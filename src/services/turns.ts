/**
 * Lets other calls have a turn of the event loop. Work that goes through much text asks for one after each stretch
 * of it, so that a large batch does not keep everybody waiting.
 */
export class Turns {
  #work = 0;

  /** Resolves at once until as much work as a few milliseconds take has been done since the last turn. */
  async after(characters: number): Promise<void> {
    this.#work += characters;
    if (this.#work < CHARACTERS_A_TURN) return;
    this.#work = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Some 5 ms of analysing or embedding. */
const CHARACTERS_A_TURN = 32 * 1024;
