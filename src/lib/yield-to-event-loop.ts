import { setImmediate } from "node:timers/promises";

/** Resolves when the event loop has read connections and run timers: long work awaits it between its parts. */
export function yieldToEventLoop(): Promise<void> {
  return setImmediate();
}

/** Some 5 ms of analysing or embedding. */
const CHARACTERS_BEFORE_YIELD = 32 * 1024;
/** What an item costs, however short it is. */
const CHARACTERS_PER_ITEM = 512;

/** Yields to the event loop each time that a few milliseconds of work were done, so that a large batch delays no other call. */
export class YieldBudget {
  #spent = 0;

  /** To be awaited after each item, with its length: resolves at once, or after the event loop has run. */
  async spend(characters: number): Promise<void> {
    this.#spent += CHARACTERS_PER_ITEM + characters;
    if (this.#spent < CHARACTERS_BEFORE_YIELD) return;
    this.#spent = 0;
    await yieldToEventLoop();
  }
}

/** What `work` makes of each item, in order, with a YieldBudget of the items' characters. */
export async function mapYielding<Item, Made>(
  items: readonly Item[],
  charactersOf: (item: Item) => number,
  work: (item: Item, index: number) => Made,
): Promise<Made[]> {
  const budget = new YieldBudget();
  const made: Made[] = [];
  for (const [index, item] of items.entries()) {
    made.push(work(item, index));
    await budget.spend(charactersOf(item));
  }
  return made;
}
