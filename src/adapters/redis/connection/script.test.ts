import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sharedRedisUrl } from "../../../../test/support/redis/run.ts";
import { connect } from "../../../../test/support/redis-cache.ts";
import type { RedisClient } from "./client.ts";
import { listOf } from "./replies.ts";
import { defineLibrary, defineScript, list, rows } from "./script.ts";
import { preamble } from "./script-preamble.ts";

const URL_OF_REDIS = await sharedRedisUrl();

const folder = mkdtempSync(join(tmpdir(), "scripts-"));
const fileOf = (name: string, body: string): URL => {
  const path = join(folder, name);
  writeFileSync(path, body);
  return pathToFileURL(path);
};

const library = defineLibrary({
  file: fileOf("library.lua", "local function both() return meta .. ' ' .. now end"),
  keys: ["meta"],
  arguments: ["now"],
});

const SCRIPT = defineScript({
  file: fileOf(
    "script.lua",
    `local answer = { both(), first_key, limit, #other_keys, #tokens, #entries }
     for _, key in ipairs(other_keys) do answer[#answer + 1] = key end
     for _, token in ipairs(tokens) do answer[#answer + 1] = token end
     for _, entry in ipairs(entries) do answer[#answer + 1] = entry.id .. '=' .. entry.keep_score end
     return answer`,
  ),
  libraries: [library],
  effect: "reads",
  keys: ["firstKey", "meta", list("otherKeys")],
  arguments: ["limit", list("tokens"), rows("entries", ["id", "keepScore"]), "now"],
  reply: (reply) => listOf(reply).map((one) => (typeof one === "number" ? one : String(one))),
});

const INPUT = {
  meta: "{a}meta",
  firstKey: "{a}first",
  otherKeys: ["{a}1", "{a}2"],
  now: 5,
  limit: 10,
  tokens: ["t1", Buffer.from("t2")],
  entries: [
    { id: "e1", keepScore: 1 },
    { id: "e2", keepScore: 2 },
  ],
};

describe("a script", () => {
  it("is sent its keys and arguments in a fixed order, whatever that of the object", () => {
    const { meta, ...others } = INPUT;
    expect(SCRIPT.encode(INPUT)).toEqual([
      ...[4, "{a}meta", "{a}first", "{a}1", "{a}2"],
      ...[5, 10, 2, "t1", Buffer.from("t2"), 2, "e1", 1, "e2", 2],
    ]);
    expect(SCRIPT.encode({ ...others, meta })).toEqual(SCRIPT.encode(INPUT));
  });

  it("begins with its flags", () => {
    expect(SCRIPT.text.split("\n", 1)).toEqual(["#!lua flags=no-writes"]);
  });

  it("refuses duplicate names, and a list of keys that is not last", () => {
    expect(() => preamble(["meta"], ["meta"])).toThrow(RangeError);
    expect(() => preamble([list("all"), "meta"], [])).toThrow(RangeError);
    expect(() => preamble([list("some"), list("others")], [])).toThrow(RangeError);
  });
});

describe.skipIf(URL_OF_REDIS === "")("a script in Redis", () => {
  let client: RedisClient;
  beforeAll(async () => {
    client = await connect(URL_OF_REDIS);
  });
  afterAll(() => client[Symbol.asyncDispose]());

  it("finds each key and argument under its name", async () => {
    expect(await client.run(SCRIPT, INPUT)).toEqual([
      ...["{a}meta 5", "{a}first", "10", 2, 2, 2],
      ...["{a}1", "{a}2", "t1", "t2", "e1=1", "e2=2"],
    ]);
    expect(await client.run(SCRIPT, { ...INPUT, otherKeys: [], tokens: [], entries: [] })).toEqual([
      "{a}meta 5",
      "{a}first",
      "10",
      0,
      0,
      0,
    ]);
  });
});
