import { pauseAfter } from "../../domain/embedding/embedding-pace.ts";
import { failureKind, isMisconfiguration } from "../../domain/embedding/failure.ts";
import { sameModel } from "../../domain/embedding/identity.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbedderIdentity } from "../../ports/embedding/embedder.ts";
import type { Reembedding, ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";
import type { OpenedEmbedder, SwitchedEmbedder } from "../../ports/embedding/switched-embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { Sleep } from "../../ports/sleep.ts";
import { startEmbeddingWorker } from "./embedding-worker.ts";

export interface ReembeddingRunnerPorts {
  readonly store: ReembeddingStore;
  /** The embedder of the server, which is switched at the cut-over. */
  readonly embedder: SwitchedEmbedder;
  /** Opens an embedder of another model of the same provider, for the lifetime of the server. */
  readonly open: (identity: EmbedderIdentity) => Promise<OpenedEmbedder>;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** Executes re-embeddings. After dispose, the next start of the server resumes the current one. */
export interface ReembeddingRunner extends AsyncDisposable {
  /** Executes the started re-embedding in the background; no effect while it runs already. */
  run(): void;
}

/** The cut-over is tried when so few memories are left. */
const NEARLY_DONE = 64;
/** Under continuous writes some memories are always left: after so many attempts, NEARLY_DONE of them may stay pending. */
const MAX_EXACT_CUT_OVERS = 20;

/** Resumes where the last run of the server stopped: with memories to embed, or with old vectors to remove. */
export function startReembeddingRunner(ports: ReembeddingRunnerPorts): ReembeddingRunner {
  const { store, log } = ports;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  /** `run` was called after the current run had read the latest re-embedding. */
  let isRequested = false;

  const run = (): void => {
    isRequested = true;
    running ??= runWithRetries().finally(() => {
      running = undefined;
    });
  };
  /** Never rejects: the store may be unavailable for a while. */
  const runWithRetries = async (): Promise<void> => {
    let failures = 0;
    while (isRequested && !stopping.signal.aborted) {
      isRequested = false;
      try {
        await runOnce();
        failures = 0;
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, "re-embedding failed: it will be retried");
        failures += 1;
        isRequested = true;
        // Rejects when the server stops, which ends the loop.
        await ports.sleep(pauseAfter(failures, 0, ports.random()), stopping.signal).catch(() => undefined);
      }
    }
  };
  const runOnce = async (): Promise<void> => {
    const latest = await store.latest();
    if (latest?.state === "RUNNING") {
      if (opened === undefined || !sameModel(opened.identity, latest.target)) {
        opened = { identity: latest.target, embedder: await ports.open(latest.target) };
      }
      await embedAll(ports, latest, opened.embedder, stopping.signal);
    }
    while (!stopping.signal.aborted && (await store.cleanUp())) await yieldToEventLoop();
  };
  /** The embedder of the target model, once it is open. */
  let opened: { readonly identity: EmbedderIdentity; readonly embedder: OpenedEmbedder } | undefined;
  store.onCutOver((identity) => {
    if (opened !== undefined && sameModel(opened.identity, identity)) {
      ports.embedder.switchTo(opened.embedder);
      return undefined;
    }
    return ports.open(identity).then((embedder) => ports.embedder.switchTo(embedder));
  });
  run();
  return {
    run,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Embeds until the cut-over, until the re-embedding fails, or until the signal aborts. */
async function embedAll(
  ports: ReembeddingRunnerPorts,
  reembedding: Reembedding,
  target: OpenedEmbedder,
  stopping: AbortSignal,
): Promise<void> {
  const { store, clock, log } = ports;
  let succeeded = false;
  let attempts = 0;
  log.warn({ target: reembedding.target }, "all memories are being embedded again");
  const worker = startEmbeddingWorker({
    ...ports,
    queue: store.work,
    embedder: target,
    afterStep: async (worked) => {
      succeeded ||= worked;
      const { remainingCount = 0 } = (await store.latest()) ?? {};
      if (remainingCount > NEARLY_DONE) return "CONTINUE";
      attempts += 1;
      const maxLeft = attempts > MAX_EXACT_CUT_OVERS ? NEARLY_DONE : 0;
      if (await store.cutOver({ maxLeft, now: clock.now() })) return "STOP";
      // Another process may have finished it.
      return (await store.latest())?.state === "RUNNING" ? "CONTINUE" : "STOP";
    },
    afterFailure: async (error) => {
      const kind = failureKind(error);
      // Permanent only if nothing has succeeded before, as with an unknown model.
      if (succeeded || kind === undefined || !isMisconfiguration(kind)) return false;
      await store.fail(error instanceof Error ? error.message : kind, clock.now());
      return true;
    },
  });
  const stop = (): void => void worker[Symbol.asyncDispose]();
  stopping.addEventListener("abort", stop, { once: true });
  if (stopping.aborted) stop();
  await worker.stopped;
  stopping.removeEventListener("abort", stop);
  if (stopping.aborted) return;
  if ((await store.latest())?.state === "DONE")
    log.warn({ target: reembedding.target }, "re-embedding done: searches use the vectors of the new model");
  else log.warn({}, "re-embedding failed: searches use the vectors of the old model");
}
