import { setTimeout } from "node:timers/promises";

const TRIES = 1200;

/**
 * Resolves when this has come true: it is asked again and again, for a minute or so, then it throws with the name, and with
 * what `explain` says of how things are then.
 */
export async function eventually(
  name: string,
  condition: () => Promise<boolean>,
  explain: () => Promise<string> = async () => "",
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (await condition()) return;
    await setTimeout(50);
  }
  throw new Error([`waited in vain for ${name}`, await explain()].join("\n").trim());
}
