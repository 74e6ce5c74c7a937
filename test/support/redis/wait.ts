import { setTimeout } from "node:timers/promises";

const TRIES = 1200;

/**
 * Polls until the condition is true, for a minute or so; then throws with the name and the result of `explain`.
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
  throw new Error([`timed out waiting for ${name}`, await explain()].join("\n").trim());
}
