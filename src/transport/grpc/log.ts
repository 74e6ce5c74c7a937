import { setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";

/** Sends the messages of grpc-js to the log; it would write them to the console. */
export function logGrpc(log: Logger): void {
  setLogger({
    error: (...words: unknown[]) => log.warn(`grpc-js: ${words.join(" ")}`),
    info: (...words: unknown[]) => log.debug(`grpc-js: ${words.join(" ")}`),
    debug: (...words: unknown[]) => log.debug(`grpc-js: ${words.join(" ")}`),
  });
}
