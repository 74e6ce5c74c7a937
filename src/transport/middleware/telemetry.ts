import type { Logger } from "pino";
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
        // With more calls than can be served there are many; they are counted, and who refuses them says so at times.
        const level = status.reason === "SERVER_OVERLOADED" ? "debug" : "info";
        log[level](line, `call refused ${latency}`);
        // What the caller is told leaves out the cause; it may quote the request, so it is for DEBUG alone.
        log.debug({ call_id: call.id, err: error }, "why the call was refused");
      }
    },
  };
}

function callerOf({ caller }: Call): object {
  return caller === undefined ? {} : { tenant: caller.tenant, principal: caller.principal };
}

const NOBODY = {};

/**
 * Most calls of one caller to one method end alike: their lines differ in time, id and latency only, and the rest is
 * written as JSON once.
 */
function logOfFinished(log: Logger): (method: string, call: Call) => Logger {
  // A caller is an object that its key has as long as the key is known.
  const byCaller = new WeakMap<object, Record<Call["door"], Map<string, Logger>>>();
  return (method, call) => {
    const caller = call.caller ?? NOBODY;
    let doors = byCaller.get(caller);
    if (doors === undefined) {
      doors = { grpc: new Map(), http: new Map() };
      byCaller.set(caller, doors);
    }
    const loggers = doors[call.door];
    let child = loggers.get(method);
    if (child === undefined) {
      child = log.child({ method, code: "OK", door: call.door, ...callerOf(call) });
      loggers.set(method, child);
    }
    // A child keeps the level it was made with; an operator may have changed it since.
    if (child.level !== log.level) child.level = log.level;
    return child;
  };
}
