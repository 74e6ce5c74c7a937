/**
 * A demo with real text: the documentation of the installed packages is stored as memories, questions are searched, and
 * the answers go through the cache. Also a smoke test: it exits with 1 when an expectation fails.
 *
 * Runs a server of its own in a temporary directory; RECOLLECT_ADDRESS=host:port uses that server instead.
 * EMBEDDING_PROVIDER=openai with EMBEDDING_API_BASE, EMBEDDING_MODEL and VECTOR_DIM gives it another embedder.
 * MEMORY_BACKEND=redis with REDIS_HOST and REDIS_PORT, or REDIS_URL, lets it keep its data in Redis, under REDIS_PREFIX
 * (`demo:`), in a namespace that it deletes in the end.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  GuardReason,
  type LookupCacheResponse,
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as MissReason,
} from "#gen/recollect/v1/cache_pb.js";
import type { Compaction } from "#gen/recollect/v1/compaction_pb.js";
import type { SearchMemoriesResponse_Result } from "#gen/recollect/v1/memory_pb.js";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { inBatches } from "../src/cli/batches.ts";
import { type Clients, connect } from "../src/cli/client.ts";
import { draftsOfDocument } from "../src/cli/drafts.ts";
import { describeError } from "../src/cli/errors.ts";
import { formatGroup } from "../src/cli/format-compaction.ts";
import { formatHit, formatMiss } from "../src/cli/format-outcome.ts";
import { formatResult } from "../src/cli/format-result.ts";
import { print, printError } from "../src/cli/output.ts";

const PACKAGES = join(import.meta.dirname, "..", "node_modules");
const MAX_DOCUMENTS = 400;
const MAX_TOTAL_BYTES = 8 * 1024 * 1024;
const MODEL = "demo-model";
const SYSTEM_PROMPT = "Answer from the documentation of the installed packages.";
const ANSWER_TTL_MS = 60 * 60 * 1000;
const TIMING_ROUNDS = 5;
/** Which embedder and which backend the demo's own server uses; `local` and embedded without them. */
const VARIABLES = [
  "MEMORY_BACKEND",
  "REDIS_URL",
  "REDIS_HOST",
  "REDIS_PORT",
  "REDIS_USERNAME",
  "REDIS_PASSWORD",
  "REDIS_PREFIX",
  "VECTOR_INDEX_NAME",
  "EMBEDDING_PROVIDER",
  "EMBEDDING_API_BASE",
  "EMBEDDING_API_KEY",
  "EMBEDDING_MODEL",
  "EMBEDDING_BATCH_SIZE",
  "VECTOR_DIM",
] as const;

/** A question, and its correct answer: a passage of this document that contains this word. */
interface Question {
  readonly text: string;
  readonly source: string;
  readonly word: string;
}

const QUESTIONS: readonly Question[] = [
  {
    text: "How do I make an option mandatory in commander?",
    source: "commander/Readme.md",
    word: "requiredOption",
  },
  {
    text: "How do I remove sensitive keys from the output of pino with the redact option?",
    source: "pino/docs/redaction.md",
    word: "redact",
  },
  {
    text: "How do I turn an English word into its stem with the Porter stemmer?",
    source: "stemmer/readme.md",
    word: "stem",
  },
  {
    text: "Which channel options set the keepalive time of gRPC?",
    source: "@grpc/grpc-js/README.md",
    word: "grpc.keepalive_time_ms",
  },
  {
    text: "How do I export OpenTelemetry metrics to Prometheus?",
    source: "@opentelemetry/exporter-prometheus/README.md",
    word: "Prometheus",
  },
  {
    text: "How do I add reflection to a gRPC server?",
    source: "@grpc/reflection/README.md",
    word: "addToServer",
  },
  {
    text: "How do I parse several YAML documents from one string?",
    source: "yaml/README.md",
    word: "parseAllDocuments",
  },
  {
    text: "How do I create a version 7 UUID from a timestamp?",
    source: "uuid/README.md",
    word: "version 7",
  },
  {
    text: "Why is my Node.js process still running?",
    source: "why-is-node-running/README.md",
    word: "why-is-node-running",
  },
  {
    text: "Which mask formats a date with the ISO 8601 week number?",
    source: "dateformat/Readme.md",
    word: "ISO 8601 week",
  },
  {
    text: "How do I overwrite characters of a MagicString and generate a source map?",
    source: "magic-string/README.md",
    word: "generateMap",
  },
  {
    text: "How do I switch on debug output with the DEBUG environment variable?",
    source: "debug/README.md",
    word: "DEBUG",
  },
];

/**
 * Paraphrased questions without words of the documents, for semantic embedders. `hashing` is not expected to answer
 * them.
 */
const PARAPHRASED_QUESTIONS: readonly Question[] = [
  {
    text: "How can I keep passwords out of my records of what happened?",
    source: "@pinojs/redact/README.md",
    word: "redact",
  },
  {
    text: "How do I make a short random name that nobody else has?",
    source: "nanoid/README.md",
    word: "ID",
  },
  { text: "How do I cut words down to their root?", source: "stemmer/readme.md", word: "stem" },
  {
    text: "What helps me write to a file faster without blocking?",
    source: "sonic-boom/README.md",
    word: "SonicBoom",
  },
  {
    text: "How do I turn milliseconds into something people can read?",
    source: "ms/readme.md",
    word: "ms(",
  },
  {
    text: "My script has finished its work, what stops it from exiting?",
    source: "why-is-node-running/README.md",
    word: "why-is-node-running",
  },
];

/** Notes of a user and later questions about them, without common content words. */
const NOTES: readonly { readonly note: string; readonly question: string }[] = [
  { note: "The automobile would not start this morning.", question: "car trouble" },
  { note: "The physician prescribed two weeks of rest.", question: "What did the doctor say?" },
  { note: "My daughter is allergic to peanuts.", question: "What food must the kid not eat?" },
  { note: "We are flying to Lisbon in October for our honeymoon.", question: "travel plans of the couple" },
  { note: "Grandma turns eighty next Saturday.", question: "Whose birthday is coming up?" },
  {
    note: "The landlord raised the rent by nine percent.",
    question: "How much more does the apartment cost now?",
  },
  { note: "I sprained my ankle while jogging.", question: "How was I injured?" },
  { note: "Dad retired from the railway.", question: "Is my father still working?" },
  { note: "The kitten keeps scratching the couch.", question: "What is the cat ruining?" },
];

/**
 * Cache lookups after the questions above were stored with their answers. With an embedder other than `hashing`, the
 * similarity of a prompt that the guard should refuse may already be below the threshold.
 */
interface CacheTrial {
  readonly about: string;
  readonly prompt: string;
  readonly model?: string;
  readonly systemPrompt?: string;
  readonly expected: "EXACT" | "SEMANTIC" | "NOT_FOUND" | keyof typeof GuardReason;
}

const CACHE_TRIALS: readonly CacheTrial[] = [
  {
    about: "the same question",
    prompt: "How do I make an option mandatory in commander?",
    expected: "EXACT",
  },
  {
    about: "polite form",
    prompt: "Could you please tell me how to make an option mandatory in commander?",
    expected: "SEMANTIC",
  },
  {
    about: "without capitals and punctuation",
    prompt: "how do i parse several yaml documents from one string",
    expected: "SEMANTIC",
  },
  {
    about: "with a contraction",
    prompt: "Why's my Node.js process still running?",
    expected: "SEMANTIC",
  },
  {
    about: "in other words of the same kind",
    prompt: "How can I add reflection to a gRPC server, please?",
    expected: "SEMANTIC",
  },
  {
    about: "another number",
    prompt: "How do I create a version 4 UUID from a timestamp?",
    expected: "NUMBER",
  },
  {
    about: "the opposite",
    prompt: "How do I make an option not mandatory in commander?",
    expected: "NEGATION",
  },
  {
    about: "another name",
    prompt: "How do I parse several JSON documents from one string?",
    expected: "ENTITY",
  },
  {
    about: "the same question for another model",
    prompt: "How do I make an option mandatory in commander?",
    model: "another-model",
    expected: "NOT_FOUND",
  },
  {
    about: "the same question under another system prompt",
    prompt: "How do I make an option mandatory in commander?",
    systemPrompt: "Answer in one word.",
    expected: "NOT_FOUND",
  },
];

/** Failed expectations. */
const failures: string[] = [];
const interrupted = new AbortController();

function check(passed: boolean, expectation: string): boolean {
  if (!passed) {
    failures.push(expectation);
    print(`    FAILED: ${expectation}`);
  }
  return passed;
}

interface Server extends AsyncDisposable {
  readonly address: string;
  readonly namespace: string;
  readonly about: string;
  /** Whether its embedder is semantic; undefined: unknown. */
  readonly semantic: boolean | undefined;
  /** Whether the vectors come from a provider. */
  readonly isProvider: boolean;
}

async function openServer(): Promise<Server> {
  // A new namespace, without other memories.
  const namespace = `demo-${new Date().toISOString().replaceAll(/[^0-9]/g, "")}`;
  const address = process.env["RECOLLECT_ADDRESS"];
  if (address) {
    // The memories are not deleted.
    return {
      address,
      namespace,
      about: "the given server",
      semantic: undefined,
      isProvider: false,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const [{ createApp }, { loadConfig }] = await Promise.all([
    import("../src/app/app.ts"),
    import("../src/config/load.ts"),
  ]);
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "recollect-demo-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  // Without the rest of the environment, so that every run has the same defaults.
  const chosen = Object.fromEntries(
    VARIABLES.flatMap((name) => {
      const value = process.env[name];
      return value ? [[name, value]] : [];
    }),
  );
  const env = {
    MEMORY_BACKEND: "embedded",
    REDIS_PREFIX: "demo:",
    VECTOR_INDEX_NAME: "idx:demo",
    ...chosen,
    DATA_DIR: folder,
    GRPC_PORT: "0",
    HTTP_PORT: "0",
    LOG_LEVEL: "error",
    RECOLLECT_CONFIG: join(folder, "none.yaml"),
  };
  const config = loadConfig({ env });
  const { provider, model, apiBase } = config.embedding;
  const app = stack.use(createApp(config));
  await app.start();
  const { host, port } = app.addresses.grpc;
  const ownAddress = `${host}:${port}`;
  // Redis would keep the namespace.
  stack.defer(async () => {
    const { memory } = connect({ address: ownAddress });
    for (const name of [namespace, notesOf(namespace)])
      await memory.deleteNamespace({ namespace: name, force: true });
  });
  const open = stack.move();
  return {
    address: ownAddress,
    namespace,
    about: `a server of its own (${config.backend} backend, ${
      provider === "openai" ? `embedder ${model} at ${apiBase}` : `embedder ${provider}`
    })`,
    semantic: provider !== "hashing",
    isProvider: provider === "openai",
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

interface Document {
  readonly packageName: string;
  /** Package and path, the source in the memories. */
  readonly source: string;
  readonly path: string;
}

/** README, CHANGELOG and docs of every package at the top level; copies nested in other packages are left out. */
async function findDocuments(): Promise<Document[]> {
  const documents: Document[] = [];
  for (const packageName of await findPackages()) {
    const folder = join(PACKAGES, packageName);
    const names = await readdir(folder, { recursive: false, withFileTypes: true });
    const paths = names
      .filter((entry) => entry.isFile() && /^(?:readme|changelog).*\.md$/i.test(entry.name))
      .map((entry) => entry.name);
    if (names.some((entry) => entry.isDirectory() && entry.name === "docs")) {
      const inDocs = await readdir(join(folder, "docs"), { recursive: true, withFileTypes: true });
      for (const entry of inDocs) {
        if (!entry.isFile() || !entry.name.endsWith(".md")) continue;
        paths.push(join(entry.parentPath, entry.name).slice(folder.length + 1));
      }
    }
    for (const path of paths) {
      const source = `${packageName}/${path.replaceAll("\\", "/")}`;
      documents.push({ packageName, source, path: join(folder, path) });
    }
  }
  return documents.sort((one, other) => (one.source < other.source ? -1 : 1)).slice(0, MAX_DOCUMENTS);
}

async function findPackages(): Promise<string[]> {
  const packages: string[] = [];
  for (const entry of await readdir(PACKAGES, { withFileTypes: true })) {
    // Symbolic links are not directories here, and are left out.
    if (!entry.isDirectory() || entry.name.startsWith(".")) continue;
    if (!entry.name.startsWith("@")) {
      packages.push(entry.name);
      continue;
    }
    for (const scoped of await readdir(join(PACKAGES, entry.name), { withFileTypes: true })) {
      if (scoped.isDirectory()) packages.push(`${entry.name}/${scoped.name}`);
    }
  }
  return packages;
}

interface Ingested {
  readonly documents: number;
  readonly bytes: number;
  readonly passages: number;
  readonly stored: number;
  readonly seconds: number;
}

async function ingest({ memory }: Clients, namespace: string): Promise<Ingested> {
  const found = await findDocuments();
  const drafts = [];
  let documents = 0;
  let bytes = 0;
  for (const { packageName, source, path } of found) {
    const text = await readFile(path, "utf8");
    const size = Buffer.byteLength(text);
    if (bytes + size > MAX_TOTAL_BYTES) continue;
    documents += 1;
    bytes += size;
    drafts.push(...draftsOfDocument({ source, text }, { tags: [packageName.slice(0, 64)] }));
  }
  const started = performance.now();
  let stored = 0;
  for await (const batch of inBatches(drafts, (draft) => toBinary(MemorySchema, draft.memory).byteLength)) {
    const { results } = await memory.batchCreateMemories(
      { namespace, memories: batch.map((draft) => draft.memory) },
      { signal: interrupted.signal },
    );
    for (const [index, { outcome, duplicate }] of results.entries()) {
      if (outcome.case === "memory") stored += duplicate ? 0 : 1;
      else check(false, `${batch[index]?.origin} is stored: ${outcome.value?.message ?? "no outcome"}`);
    }
    check(results.length === batch.length, "every item of a batch has a result");
  }
  const seconds = (performance.now() - started) / 1000;
  return { documents, bytes, passages: drafts.length, stored, seconds };
}

async function search(
  { memory }: Clients,
  namespace: string,
  text: string,
): Promise<SearchMemoriesResponse_Result[]> {
  const { results } = await memory.searchMemories(
    { namespace, query: { by: { case: "text", value: text } }, limit: 3 },
    { signal: interrupted.signal },
  );
  return results;
}

function isAnsweredBy(question: Question, { memory }: SearchMemoriesResponse_Result): boolean {
  return memory?.metadata?.["source"] === question.source && memory.text.includes(question.word);
}

/**
 * Prints the results, and returns the answering text and its rank (0: no answer found). With `required`, a missing
 * answer is a failure.
 */
async function ask(
  clients: Clients,
  namespace: string,
  question: Question,
  required: boolean,
): Promise<{ readonly text: string; readonly rank: number }> {
  print(`\n? ${question.text}`);
  const results = await search(clients, namespace, question.text);
  for (const [index, result] of results.entries()) {
    // Without the last line, the id.
    for (const line of formatResult(result, index + 1).slice(0, -1)) print(line);
  }
  const rank = 1 + results.findIndex((result) => isAnsweredBy(question, result));
  check(
    rank > 0 || !required,
    `"${question.text}" finds a passage of ${question.source} with ${question.word} among the first 3`,
  );
  return { text: results[Math.max(0, rank - 1)]?.memory?.text ?? "no answer", rank };
}

/** The namespace of NOTES, beside that of the documents. */
function notesOf(namespace: string): string {
  return `${namespace}-notes`;
}

/** Stores NOTES, and searches each by its question. Returns how many are the first result. */
async function askForNotes(clients: Clients, server: Server): Promise<number> {
  const namespace = notesOf(server.namespace);
  await clients.memory.batchCreateMemories({
    namespace,
    memories: NOTES.map(({ note }) => ({ text: note })),
  });
  let found = 0;
  for (const { note, question } of NOTES) {
    const [first] = await search(clients, namespace, question);
    print(`\n? ${question}`);
    print(`    ${first?.memory?.text ?? "nothing"}`);
    if (first?.memory?.text === note) found += 1;
    check(server.semantic !== true || first?.memory?.text === note, `"${question}" finds "${note}" first`);
  }
  return found;
}

async function storeAnswer(
  { cache }: Clients,
  namespace: string,
  prompt: string,
  response: string,
): Promise<void> {
  await cache.storeCacheEntry(
    {
      namespace,
      prompt: { prompt: { case: "text", value: prompt } },
      origin: { case: "scope", value: { model: MODEL, systemPrompt: SYSTEM_PROMPT } },
      response,
      ttl: durationFromMs(ANSWER_TTL_MS),
    },
    { signal: interrupted.signal },
  );
}

function lookUp(
  { cache }: Clients,
  namespace: string,
  trial: Pick<CacheTrial, "prompt" | "model" | "systemPrompt">,
): Promise<LookupCacheResponse> {
  return cache.lookupCache(
    {
      namespace,
      prompt: { prompt: { case: "text", value: trial.prompt } },
      scope: { model: trial.model ?? MODEL, systemPrompt: trial.systemPrompt ?? SYSTEM_PROMPT },
    },
    { signal: interrupted.signal },
  );
}

async function tryCache(clients: Clients, server: Server, trial: CacheTrial): Promise<boolean> {
  const { outcome } = await lookUp(clients, server.namespace, trial);
  print(`\n? ${trial.prompt}   [${trial.about}]`);
  let decided: string[] = [];
  if (outcome.case === "hit") {
    decided = [Match[outcome.value.match]];
    print(`    ${formatHit(outcome.value)}`);
    print(`    stored for: ${outcome.value.entry?.prompt}`);
  } else if (outcome.case === "miss") {
    const reasons = outcome.value.guardReasons.map((reason) => GuardReason[reason]);
    decided = reasons.length > 0 ? reasons : [MissReason[outcome.value.reason]];
    print(`    ${formatMiss(outcome.value)}`);
  }
  const mayBeFar = server.semantic !== false && trial.expected in GuardReason;
  return check(
    decided.includes(trial.expected) || (mayBeFar && decided.includes("BELOW_THRESHOLD")),
    `${trial.about}: ${trial.expected}, not ${decided.join("+")}`,
  );
}

/** Median time of a call in milliseconds, over several rounds of all inputs. */
async function medianMs<T>(inputs: readonly T[], call: (input: T) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < TIMING_ROUNDS; round += 1) {
    for (const input of inputs) {
      const started = performance.now();
      await call(input);
      times.push(performance.now() - started);
    }
  }
  times.sort((one, other) => one - other);
  return times[Math.floor(times.length / 2)] ?? Number.NaN;
}

async function demonstrate(server: Server): Promise<void> {
  const { namespace } = server;
  const clients = connect({ address: server.address });
  print(`Recollect demo: ${server.about} at ${server.address}, namespace ${namespace}`);

  print("\n== Documentation of the installed packages as memories");
  const ingested = await ingest(clients, namespace);
  check(ingested.stored > 0, "passages are stored");
  print(
    `${ingested.passages} passages of ${ingested.documents} documents, ${ingested.stored} different ones`,
  );

  print("\n== Questions about them");
  const ranks: number[] = [];
  const answers = new Map<string, string>();
  for (const question of QUESTIONS) {
    const { text, rank } = await ask(clients, namespace, question, true);
    answers.set(question.text, text);
    if (rank > 0) ranks.push(rank);
  }

  print("\n== Notes, found by paraphrased questions");
  const notesFound = await askForNotes(clients, server);

  print("\n== Paraphrased questions");
  print("Hard: among thousands of long passages; checked only with a provider.");
  let semantic = 0;
  for (const question of PARAPHRASED_QUESTIONS) {
    const { rank } = await ask(clients, namespace, question, false);
    print(rank === 0 ? `    not among the first 3: ${question.source}` : `    answered by passage ${rank}`);
    semantic += rank === 0 ? 0 : 1;
  }
  check(
    !server.isProvider || semantic > PARAPHRASED_QUESTIONS.length / 2,
    `most of the paraphrased questions are answered, not ${semantic}`,
  );

  print("\n== The answers go into the cache; then lookups of equal and similar questions");
  for (const [prompt, answer] of answers) await storeAnswer(clients, namespace, prompt, answer);
  let decided = 0;
  for (const trial of CACHE_TRIALS) decided += (await tryCache(clients, server, trial)) ? 1 : 0;

  print("\n== Equal and outdated notes are compacted; then that is undone");
  await compact(clients, namespace);

  const searchMs = await medianMs(QUESTIONS, ({ text }) => search(clients, namespace, text));
  const timeLookups = (expected: CacheTrial["expected"]): Promise<number> =>
    medianMs(
      CACHE_TRIALS.filter((trial) => trial.expected === expected),
      (trial) => lookUp(clients, namespace, trial),
    );
  const exactMs = await timeLookups("EXACT");
  const semanticMs = await timeLookups("SEMANTIC");

  print("\n== Counts and times, client and server on this machine");
  const { documents, passages, stored, bytes, seconds } = ingested;
  const first = ranks.filter((rank) => rank === 1).length;
  const figures = [
    ["documents", `${documents}`],
    ["passages", `${passages} (${stored} stored, ${passages - stored} already there)`],
    ["text", `${(bytes / 1024 / 1024).toFixed(2)} MiB`],
    ["storing", `${seconds.toFixed(2)} s, ${Math.round(passages / seconds)} passages/s`],
    ["search, median", `${searchMs.toFixed(1)} ms`],
    ["cache hit, exact, median", `${exactMs.toFixed(1)} ms`],
    ["cache hit, semantic, median", `${semanticMs.toFixed(1)} ms`],
    ["questions answered", `${ranks.length} of ${QUESTIONS.length}, ${first} by the first passage`],
    ["notes by paraphrase", `${notesFound} of ${NOTES.length} by the first memory`],
    ["paraphrased questions", `${semantic} of ${PARAPHRASED_QUESTIONS.length} answered`],
    ["cache decided as expected", `${decided} of ${CACHE_TRIALS.length}`],
  ] as const;
  for (const [name, value] of figures) print(`${name.padEnd(28)}${value}`);
}

/** Notes of one user: the first two say the same, the last two only look alike. */
const COMPACTED_USER = `compacted-${process.pid}`;
const COMPACTED = [
  "The build server is called Atlas.",
  "the build server is called  ATLAS.",
  "Backups are kept for 30 days.",
  "Backups are kept for 60 days.",
];

/** Plans a compaction, applies exactly the plan, and undoes it. */
async function compact(clients: Clients, namespace: string): Promise<void> {
  const { memory, compaction } = clients;
  for (const text of COMPACTED) {
    await memory.createMemory({ namespace, memory: { text, userId: COMPACTED_USER }, onDuplicate: 2 });
  }
  const active = async (): Promise<number> => {
    const filter = { userId: COMPACTED_USER };
    return (await memory.listMemories({ namespace, filter, pageSize: 1000 })).memories.length;
  };
  const before = await active();
  const request = { namespace, userId: COMPACTED_USER, overrides: { keepRecent: { seconds: 0n } } };
  const started = await compaction.startCompaction({ ...request, requireApproval: true });
  const id = started.compaction?.id ?? "";
  const planned = await settledCompaction(clients, namespace, id);
  const { groups } = await compaction.getCompaction({ namespace, id });
  for (const line of groups.flatMap(formatGroup)) print(`    ${line}`);
  await compaction.approveCompaction({ namespace, id, etag: planned?.etag ?? "" });
  const done = await settledCompaction(clients, namespace, id);
  const after = await active();
  print(
    `    ${before} active memories before, ${after} after: ${done?.affectedCount ?? 0} left default reads`,
  );
  check(after === before - 1, "the equal notes are one, and no others are merged");
  const { conflictIds } = await compaction.undoCompaction({ namespace, id });
  const restored = await active();
  print(`    undone: ${restored} active memories`);
  check(restored === before && conflictIds.length === 0, "undo brings the note back");
}

/** The compaction when it has ended or awaits approval. */
async function settledCompaction(
  clients: Clients,
  namespace: string,
  id: string,
): Promise<Compaction | undefined> {
  const watched = await Array.fromAsync(clients.compaction.watchCompaction({ namespace, id }));
  return watched.at(-1)?.compaction;
}

process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
let address = process.env["RECOLLECT_ADDRESS"] ?? "";
try {
  await using server = await openServer();
  address = server.address;
  await demonstrate(server);
  for (const failure of failures) printError(`FAILED: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
} catch (error) {
  for (const line of describeError(error, address)) printError(line);
  process.exitCode = 1;
}
