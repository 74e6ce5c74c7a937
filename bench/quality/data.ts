import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A text and its intent. */
export interface Labelled {
  readonly text: string;
  readonly intent: string;
}

/** Training texts with their intents, and test texts. */
export interface IntentData {
  readonly name: string;
  readonly training: readonly Labelled[];
  readonly test: readonly Labelled[];
}

/** BANKING77 (Casanueva et al., 2020): `banking77_train.csv` and `banking77_test.csv`, with a header. */
export async function readBanking77(folder: string): Promise<IntentData> {
  const read = async (part: string): Promise<Labelled[]> => {
    const rows = csvRows(await readFile(join(folder, `banking77_${part}.csv`), "utf8")).slice(1);
    return rows.map(([text = "", intent = ""]) => ({ text, intent }));
  };
  return { name: "BANKING77", training: await read("train"), test: await read("test") };
}

/** CLINC150 (Larson et al., 2019): `clinc150_full.json`; its training and test queries that are in scope. */
export async function readClinc150(folder: string): Promise<IntentData> {
  const all = await clinc150Parts(folder);
  const read = (part: string): Labelled[] => (all[part] ?? []).map(([text, intent]) => ({ text, intent }));
  return { name: "CLINC150", training: read("train"), test: read("test") };
}

/** The test queries of CLINC150 that have none of its intents. */
export async function readClinc150OutOfScope(folder: string): Promise<string[]> {
  return ((await clinc150Parts(folder))["oos_test"] ?? []).map(([text]) => text);
}

async function clinc150Parts(folder: string): Promise<Record<string, [string, string][]>> {
  return JSON.parse(await readFile(join(folder, "clinc150_full.json"), "utf8"));
}

export interface Turn {
  readonly id: string;
  readonly session: string;
  readonly speaker: string;
  /** The message, with the caption of a shared picture in brackets. */
  readonly text: string;
}

export interface Conversation {
  readonly turns: readonly Turn[];
  readonly questions: readonly { readonly text: string; readonly evidence: ReadonlySet<string> }[];
}

interface RawConversation {
  readonly conversation: Readonly<Record<string, unknown>>;
  readonly qa: readonly { readonly question: string; readonly evidence?: readonly string[] }[];
}

interface RawTurn {
  readonly speaker: string;
  readonly dia_id: string;
  readonly text: string;
  readonly blip_caption?: string;
}

/** LoCoMo (Maharana et al., 2024): `locomo10.json`. Questions without evidence are omitted. */
export async function readLocomo(folder: string): Promise<Conversation[]> {
  const all = JSON.parse(await readFile(join(folder, "locomo10.json"), "utf8")) as RawConversation[];
  return all.map(({ conversation, qa }) => {
    const turns: Turn[] = [];
    for (let number = 1; Array.isArray(conversation[`session_${number}`]); number += 1) {
      for (const turn of conversation[`session_${number}`] as RawTurn[]) {
        const caption = turn.blip_caption === undefined ? "" : ` [${turn.blip_caption}]`;
        turns.push({
          id: turn.dia_id,
          session: `session-${number}`,
          speaker: turn.speaker,
          text: turn.text + caption,
        });
      }
    }
    const ids = new Set(turns.map(({ id }) => id));
    const questions = qa.map(({ question, evidence = [] }) => ({
      text: question,
      // Some list several turns in one text, some name missing turns.
      evidence: new Set(evidence.flatMap((one) => one.match(/D\d+:\d+/g) ?? []).filter((id) => ids.has(id))),
    }));
    return { turns, questions: questions.filter(({ evidence }) => evidence.size > 0) };
  });
}

/** Rows of a CSV file: fields in quotes may hold commas, line ends and doubled quotes. */
function csvRows(content: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const { groups } of content.matchAll(
    /(?:"(?<quoted>(?:[^"]|"")*)"|(?<plain>[^",\r\n]*))(?<end>,|\r?\n|$)/g,
  )) {
    const { quoted, plain = "", end } = groups ?? {};
    if (end === "" && row.length === 0 && quoted === undefined && plain === "") break;
    row.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
