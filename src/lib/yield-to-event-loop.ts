/**
 * Lets other calls have a turn of the event loop. Work that goes through much text asks for one after each stretch
 * of it, so that a large batch does not keep everybody waiting.
 */
export class Turns {
  #work = 0;

  /** After each item: resolves at once until as much work as a few milliseconds take has been done since the last turn. */
  async after(characters: number): Promise<void> {
    this.#work += CHARACTERS_AN_ITEM + characters;
    if (this.#work < CHARACTERS_A_TURN) return;
    this.#work = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Some 5 ms of analysing or embedding. */
const CHARACTERS_A_TURN = 32 * 1024;
/** What an item costs, however short it is. */
const CHARACTERS_AN_ITEM = 512;

/** What `work` makes of each item, in order; others have their turn in between, by the characters of the items. */
export async function mapInTurns<Item, Made>(
  items: readonly Item[],
  charactersOf: (item: Item) => number,
  work: (item: Item, index: number) => Made,
): Promise<Made[]> {
  const turns = new Turns();
  const made: Made[] = [];
  for (const [index, item] of items.entries()) {
    made.push(work(item, index));
    await turns.after(charactersOf(item));
  }
  return made;
}
