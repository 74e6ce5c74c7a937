import { pauseAfter } from "../../domain/embedding/backlog.ts";
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
  /** The embedder of the server, which is switched at the change. */
  readonly embedder: SwitchedEmbedder;
  /** Makes an embedder of another model of the same provider; it stays open as long as the server. */
  readonly open: (identity: EmbedderIdentity) => Promise<OpenedEmbedder>;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** Carries out re-embeddings. Disposing it leaves the one under way to the next start. */
export interface ReembeddingRunner extends AsyncDisposable {
  /** Goes on with the one that was started, in the background; nothing happens when it runs already. */
  run(): void;
}

/** The change is tried when so few memories are left. */
const NEARLY_DONE = 64;
/** With writes that never stop, some are always left: after so many tries, these few may stay pending. */
const PATIENCE = 20;

/** Starts where the last run of the server ended: with what is to be embedded, or with what is to be removed. */
export function startReembeddingRunner(ports: ReembeddingRunnerPorts): ReembeddingRunner {
  const { store, log } = ports;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  /** Something was started that the run under way may not see any more. */
  let again = false;

  const begin = (): void => {
    again = true;
    running ??= work().finally(() => {
      running = undefined;
    });
  };
  /** Never rejects: the store may be away for a while. */
  const work = async (): Promise<void> => {
    let failures = 0;
    while (again && !stopping.signal.aborted) {
      again = false;
      try {
        await goOn();
        failures = 0;
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, "a re-embedding pauses, and goes on when it can");
        failures += 1;
        again = true;
        // It rejects when the server stops, and then the loop ends.
        await ports.sleep(pauseAfter(failures, 0, ports.random()), stopping.signal).catch(() => undefined);
      }
    }
  };
  const goOn = async (): Promise<void> => {
    const latest = await store.latest();
    if (latest?.state === "RUNNING") {
      if (opened === undefined || !sameModel(opened.identity, latest.target)) {
        opened = { identity: latest.target, embedder: await ports.open(latest.target) };
      }
      await embedAll(ports, latest, opened.embedder, stopping.signal);
    }
    while (!stopping.signal.aborted && (await store.cleanUp())) await yieldToEventLoop();
  };
  /** The embedder of the model that is changed to, once it is known. */
  let opened: { readonly identity: EmbedderIdentity; readonly embedder: OpenedEmbedder } | undefined;
  store.onCutOver((identity) => {
    if (opened !== undefined && sameModel(opened.identity, identity)) {
      ports.embedder.switchTo(opened.embedder);
      return undefined;
    }
    return ports.open(identity).then((embedder) => ports.embedder.switchTo(embedder));
  });
  begin();
  return {
    run: begin,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Embeds until the change is made, the re-embedding is given up, or the signal aborts. */
async function embedAll(
  ports: ReembeddingRunnerPorts,
  reembedding: Reembedding,
  target: OpenedEmbedder,
  stopping: AbortSignal,
): Promise<void> {
  const { store, clock, log } = ports;
  let succeeded = false;
  let tries = 0;
  log.warn({ target: reembedding.target }, "all memories are being embedded again");
  const worker = startEmbeddingWorker({
    ...ports,
    queue: store.work,
    embedder: target,
    afterStep: async (worked) => {
      succeeded ||= worked;
      const { remainingCount = 0 } = (await store.latest()) ?? {};
      if (remainingCount > NEARLY_DONE) return "GO_ON";
      tries += 1;
      const maxLeft = tries > PATIENCE ? NEARLY_DONE : 0;
      if (await store.cutOver({ maxLeft, now: clock.now() })) return "END";
      // Another process may have come to the end of it.
      return (await store.latest())?.state === "RUNNING" ? "GO_ON" : "END";
    },
    afterFailure: async (error) => {
      const kind = failureKind(error);
      // What has worked before may work again; an unknown model will not.
      if (succeeded || kind === undefined || !isMisconfiguration(kind)) return false;
      await store.fail(error instanceof Error ? error.message : kind, clock.now());
      return true;
    },
  });
  const stop = (): void => void worker[Symbol.asyncDispose]();
  stopping.addEventListener("abort", stop, { once: true });
  if (stopping.aborted) stop();
  await worker.ended;
  stopping.removeEventListener("abort", stop);
  if (stopping.aborted) return;
  if ((await store.latest())?.state === "DONE")
    log.warn({ target: reembedding.target }, "searches compare the vectors of the new model now");
  else log.warn({}, "the re-embedding was given up: everything is as it was");
}
