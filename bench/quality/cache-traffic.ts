import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type IntentData, readBanking77, readClinc150, readClinc150OutOfScope } from "./data.ts";

/** Questions that are stored with an answer, and questions that are asked. */
export interface CacheTraffic {
  readonly name: string;
  readonly stored: readonly { readonly text: string; readonly answer: string }[];
  /** `answer` undefined: no stored question answers it. */
  readonly asked: readonly { readonly text: string; readonly answer: string | undefined }[];
}

/** Pairs of GPTCache's benchmark: each `similar` should get the answer of its own `origin`. */
const GPTCACHE = "mock_data.json";

/** The data sets that the folder has; with a folder undefined none. */
export async function readTraffic(folder: string | undefined): Promise<CacheTraffic[]> {
  if (folder === undefined) return [];
  const traffic: CacheTraffic[] = [];
  if (existsSync(join(folder, "banking77_test.csv")))
    traffic.push(ofIntents(await readBanking77(folder), []));
  if (existsSync(join(folder, "clinc150_full.json")))
    traffic.push(ofIntents(await readClinc150(folder), await readClinc150OutOfScope(folder)));
  if (existsSync(join(folder, GPTCACHE))) traffic.push(await readGptCache(join(folder, GPTCACHE)));
  return traffic;
}

/** The intent stands for the answer. */
function ofIntents({ name, training, test }: IntentData, outOfScope: readonly string[]): CacheTraffic {
  const withAnswer = ({ text, intent }: IntentData["test"][number]) => ({ text, answer: intent });
  return {
    name,
    stored: training.map(withAnswer),
    asked: [...test.map(withAnswer), ...outOfScope.map((text) => ({ text, answer: undefined }))],
  };
}

async function readGptCache(path: string): Promise<CacheTraffic> {
  const pairs = JSON.parse(await readFile(path, "utf8")) as { origin: string; similar: string }[];
  // Some origins occur twice: an answer of either is right.
  return {
    name: "GPTCache",
    stored: pairs.map(({ origin }) => ({ text: origin, answer: origin })),
    asked: pairs.map(({ origin, similar }) => ({ text: similar, answer: origin })),
  };
}
