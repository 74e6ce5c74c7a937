import type { Logger } from "pino";
import type { Reason } from "../../domain/errors.ts";
import type { RpcInstruments } from "../../telemetry/instruments.ts";
import { methodPath } from "../handler.ts";
import type { Call, Middleware } from "../pipeline.ts";
import { CODE_OF_REASON } from "../status.ts";

/** Codes of failures of the server; the others are failures of the caller. */
const SERVER_FAULTS: ReadonlySet<string> = new Set(["INTERNAL", "DATA_LOSS", "UNAVAILABLE"]);

/**
 * Measures every call, and logs it when it has ended: at INFO, or at WARN and ERROR with the whole error when the server
 * failed. Lines hold methods, codes and reasons, never prompts or texts.
 */
export function telemetry(log: Logger, instruments: RpcInstruments): Middleware {
  const finished = logOfFinished(log);
  return {
    name: "telemetry",
    end: (call, { status, error, durationMs }) => {
      const method = methodPath(call.method);
      const latency = `Latency: ${durationMs.toFixed(2)} ms`;
      instruments.callEnded(method, status?.code ?? "OK", call.transport, durationMs);
      if (status === undefined) {
        finished(method, call).info({ call_id: call.id }, `call finished ${latency}`);
        return;
      }
      instruments.callFailed(status.reason, call.transport);
      const line = {
        method,
        code: status.code,
        transport: call.transport,
        call_id: call.id,
        ...callerOf(call),
        reason: status.reason,
      };
      if (status.code === "INTERNAL")
        log.error({ ...line, peer: call.peer(), err: error }, `call failed ${latency}`);
      else if (SERVER_FAULTS.has(status.code)) {
        log.warn({ ...line, peer: call.peer(), err: error }, `call failed ${latency}`);
      } else {
        // Under overload there are too many for the log; they are counted, and the work queue logs a summary.
        const level = status.reason === "SERVER_OVERLOADED" ? "debug" : "info";
        log[level](line, `call refused ${latency}`);
        // The cause may quote the request, so it is not sent to the caller and logged at DEBUG alone.
        log.debug({ call_id: call.id, err: error }, "cause of the refusal");
      }
    },
  };
}

/** Counts and logs the calls that a library refuses before the pipeline sees them. `text` is for the log alone. */
export function recordRefused(
  log: Logger,
  instruments: RpcInstruments,
  transport: Call["transport"],
): (method: string, reason: Reason, text?: string) => void {
  return (method, reason, text) => {
    const code = CODE_OF_REASON[reason];
    instruments.callEnded(method, code, transport, 0);
    instruments.callFailed(reason, transport);
    const line = { method, code, reason, transport };
    if (reason === "INTERNAL")
      log.error({ ...line, text }, "call failed outside its handler Latency: 0.00 ms");
    else if (reason === "SERVER_OVERLOADED")
      log.debug(line, "call refused before its handler Latency: 0.00 ms");
    else log.info(line, "call refused before its handler Latency: 0.00 ms");
  };
}

function callerOf({ caller }: Call): object {
  return caller === undefined ? {} : { tenant: caller.tenant, principal: caller.principal };
}

const NO_CALLER = {};

/** A logger for each caller, method and transport: the fields that all lines of successful calls share are encoded once. */
function logOfFinished(log: Logger): (method: string, call: Call) => Logger {
  // A caller is one object as long as its key is valid.
  const byCaller = new WeakMap<object, Record<Call["transport"], Map<string, Logger>>>();
  return (method, call) => {
    const caller = call.caller ?? NO_CALLER;
    let transports = byCaller.get(caller);
    if (transports === undefined) {
      transports = { grpc: new Map(), http: new Map() };
      byCaller.set(caller, transports);
    }
    const loggers = transports[call.transport];
    let child = loggers.get(method);
    if (child === undefined) {
      child = log.child({ method, code: "OK", transport: call.transport, ...callerOf(call) });
      loggers.set(method, child);
    }
    // A child logger keeps the level of its creation; an operator may have changed the level since.
    if (child.level !== log.level) child.level = log.level;
    return child;
  };
}
