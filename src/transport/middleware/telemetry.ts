import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Caller } from "../../domain/tenancy.ts";
import type { RpcInstruments } from "../../telemetry/instruments.ts";
import { methodPath } from "../handler.ts";
import type { Call, Middleware } from "../pipeline.ts";

/** Codes that say the server is at fault, or may be; the others are the caller's affair. */
const SERVER_FAULTS: ReadonlySet<string> = new Set(["INTERNAL", "DATA_LOSS", "UNAVAILABLE"]);

/**
 * Measures every call, and writes a line about it when it has ended: INFO, or WARN and ERROR with the whole
 * error when the server is at fault. Lines name methods, codes and reasons, never prompts or texts.
 */
export function telemetry(log: Logger, instruments: RpcInstruments): Middleware {
  const finished = logOfFinished(log);
  return {
    name: "telemetry",
    end: (call, { status, error, durationMs }) => {
      const method = methodPath(call.method);
      const latency = `Latency: ${durationMs.toFixed(2)} ms`;
      instruments.callEnded(method, status?.code ?? "OK", call.door, durationMs);
      if (status === undefined) {
        finished(method, call).info({ call_id: call.id }, `call finished ${latency}`);
        return;
      }
      instruments.callFailed(status.reason, call.door);
      const line = {
        method,
        code: status.code,
        door: call.door,
        call_id: call.id,
        ...callerOf(call),
        reason: status.reason,
      };
      if (status.code === "INTERNAL")
        log.error({ ...line, peer: call.peer(), err: error }, `call failed ${latency}`);
      else if (SERVER_FAULTS.has(status.code)) {
        log.warn({ ...line, peer: call.peer(), err: error }, `call failed ${latency}`);
      } else {
        log.info(line, `call refused ${latency}`);
        // What the caller is told leaves out the cause; it may quote the request, so it is for DEBUG alone.
        log.debug({ call_id: call.id, err: error }, "why the call was refused");
      }
    },
  };
}

function callerOf({ caller }: Call): object {
  return caller === undefined ? {} : { tenant: caller.tenant, principal: caller.principal };
}

/** Callers whose lines are kept half written. */
const MAX_CALLERS = 1000;

/**
 * Most calls of one caller to one method end alike: their lines differ in time, id and latency only, and the rest is
 * written as JSON once.
 */
function logOfFinished(log: Logger): (method: string, call: Call) => Logger {
  const byCaller = new LRUCache<Caller | "nobody", Map<string, Logger>>({ max: MAX_CALLERS });
  return (method, call) => {
    const caller = call.caller ?? "nobody";
    let loggers = byCaller.get(caller);
    if (loggers === undefined) {
      loggers = new Map();
      byCaller.set(caller, loggers);
    }
    const key = `${call.door}${method}`;
    let child = loggers.get(key);
    if (child === undefined) {
      child = log.child({ method, code: "OK", door: call.door, ...callerOf(call) });
      loggers.set(key, child);
    }
    // A child keeps the level it was made with; an operator may have changed it since.
    if (child.level !== log.level) child.level = log.level;
    return child;
  };
}
