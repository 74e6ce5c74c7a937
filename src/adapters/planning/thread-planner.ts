import { Worker } from "node:worker_threads";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import {
  type PlannedPage,
  type PlannedUser,
  type Planner,
  PlannerOutOfMemory,
  type PlanRules,
  type SummaryVerdict,
} from "../../ports/compaction/planner.ts";
import type { Answer, Question } from "./messages.ts";
import { leastSimilarity } from "./plan-user.ts";

const PROGRAM = new URL(`./thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
/** A thread, which takes 100 MB, ends when it has had nothing to do for so long. */
const IDLE_MS = 60_000;
/** A call that plans does not wait behind a long plan in the background, unless two of those run. */
const THREADS = 2;

/**
 * Main memory of a thread. Planning for 100,000 memories of some 80 characters needs less than 300 MB; without a limit it takes
 * 700, because memory is collected later.
 */
const HEAP_MB = 96;
const HEAP_MB_A_THOUSAND = 2.5;
const YOUNG_MB = 24;

function heapFor(memories: number): number {
  return Math.ceil(HEAP_MB + (HEAP_MB_A_THOUSAND * memories) / 1000);
}

/**
 * A planner in threads of its own, which are started when they are needed, so that planning never delays a call. A question
 * that fails or whose signal aborts ends its thread; the next one starts another.
 */
export function createThreadPlanner(): Planner & AsyncDisposable {
  const threads = Array.from({ length: THREADS }, () => new PlanningThread());
  const ask = <T>(
    questions: AsyncIterable<Question> | Iterable<Question>,
    signal: AbortSignal,
    expected = 0,
  ): Promise<T> => {
    const [first, ...others] = threads as [PlanningThread, ...PlanningThread[]];
    const free = others.reduce((best, one) => (one.waiting < best.waiting ? one : best), first);
    return free.ask(questions, signal, heapFor(expected)) as Promise<T>;
  };
  return {
    compares: (model, policy) => leastSimilarity(model, policy) !== undefined,
    plan: (pages, rules, signal) => ask<PlannedUser>(planQuestions(pages, rules), signal, rules.expected),
    checkSummary: (answer, sources, signal) =>
      ask<SummaryVerdict>([{ kind: "check", answer, sources }], signal),
    extract: (sources, signal) => ask<string>([{ kind: "extract", sources }], signal),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

async function* planQuestions(pages: AsyncIterable<PlannedPage>, rules: PlanRules): AsyncGenerator<Question> {
  for await (const page of pages) yield { kind: "page", page };
  yield { kind: "plan", rules };
}

/** One thread, which answers one question after the other. */
class PlanningThread {
  #worker: Worker | undefined;
  #heapMb = 0;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Questions that are not answered yet. */
  waiting = 0;

  /** `heapMb`: main memory that it may take. */
  ask(
    questions: AsyncIterable<Question> | Iterable<Question>,
    signal: AbortSignal,
    heapMb: number,
  ): Promise<unknown> {
    this.waiting += 1;
    const answer = this.#last
      .then(() => this.#ask(questions, signal, heapMb))
      .finally(() => {
        this.waiting -= 1;
      });
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #ask(
    questions: AsyncIterable<Question> | Iterable<Question>,
    signal: AbortSignal,
    heapMb: number,
  ): Promise<unknown> {
    signal.throwIfAborted();
    clearTimeout(this.#idle);
    if (heapMb > this.#heapMb) await this.stop();
    if (this.#worker === undefined) {
      this.#heapMb = heapMb;
      const resourceLimits = { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_MB };
      this.#worker = new Worker(PROGRAM, { resourceLimits });
    }
    try {
      return await answerOf(this.#worker, questions, signal);
    } catch (error) {
      // It may have a part of the question.
      await this.stop();
      throw error;
    } finally {
      this.#idle = setTimeout(() => void this.stop(), IDLE_MS).unref();
    }
  }
}

function answerOf(
  worker: Worker,
  questions: AsyncIterable<Question> | Iterable<Question>,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void): void => {
      worker.off("message", answered);
      worker.off("error", failed);
      worker.off("exit", exited);
      signal.removeEventListener("abort", aborted);
      settled();
    };
    const answered = (answer: Answer): void =>
      settle(() => ("error" in answer ? reject(answer.error) : resolve(answer.result)));
    const failed = (error: unknown): void =>
      settle(() => reject(isOutOfMemory(error) ? new PlannerOutOfMemory("too many memories") : error));
    const exited = (): void => settle(() => reject(new Error("the planning thread has ended")));
    const aborted = (): void => settle(() => reject(signal.reason));
    worker.on("message", answered).on("error", failed).on("exit", exited);
    signal.addEventListener("abort", aborted, { once: true });
    void send(worker, questions, signal).catch(failed);
  });
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
}

async function send(
  worker: Worker,
  questions: AsyncIterable<Question> | Iterable<Question>,
  signal: AbortSignal,
): Promise<void> {
  for await (const question of questions) {
    if (signal.aborted) return;
    worker.postMessage(question);
    await yieldToEventLoop();
  }
}
