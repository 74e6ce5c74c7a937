import { setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";

/** grpc-js speaks to the console on its own; what it says belongs into the log. */
export function logGrpc(log: Logger): void {
  setLogger({
    error: (...words: unknown[]) => log.warn(`grpc-js: ${words.join(" ")}`),
    info: (...words: unknown[]) => log.debug(`grpc-js: ${words.join(" ")}`),
    debug: (...words: unknown[]) => log.debug(`grpc-js: ${words.join(" ")}`),
  });
}
