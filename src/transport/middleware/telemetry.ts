import type { Logger } from "pino";
import type { RpcInstruments } from "../../telemetry/instruments.ts";
import { methodPath } from "../handler.ts";
import type { Middleware } from "../pipeline.ts";

/** Codes that say the server is at fault, or may be; the others are the caller's affair. */
const SERVER_FAULTS: ReadonlySet<string> = new Set(["INTERNAL", "DATA_LOSS", "UNAVAILABLE"]);

/**
 * Measures every call, and writes a line about it when it has ended: INFO, or WARN and ERROR with the whole
 * error when the server is at fault. Lines name methods, codes and reasons, never prompts or texts.
 */
export function telemetry(log: Logger, instruments: RpcInstruments): Middleware {
  return {
    name: "telemetry",
    begin: (call) => {
      const method = methodPath(call.method);
      return ({ status, error, durationMs }) => {
        const code = status?.code ?? "OK";
        instruments.callEnded(method, code, call.door, durationMs);
        if (status !== undefined) instruments.callFailed(status.reason, call.door);
        const latency = `Latency: ${durationMs.toFixed(2)} ms`;
        const line = {
          method,
          code,
          door: call.door,
          call_id: call.id,
          ...(call.caller === undefined
            ? {}
            : { tenant: call.caller.tenant, principal: call.caller.principal }),
          ...(status === undefined ? {} : { reason: status.reason }),
        };
        if (status === undefined) log.info(line, `call finished ${latency}`);
        else if (status.code === "INTERNAL")
          log.error({ ...line, peer: call.peer, err: error }, `call failed ${latency}`);
        else if (SERVER_FAULTS.has(status.code)) {
          log.warn({ ...line, peer: call.peer, err: error }, `call failed ${latency}`);
        } else {
          log.info(line, `call refused ${latency}`);
          // What the caller is told leaves out the cause; it may quote the request, so it is for DEBUG alone.
          log.debug({ call_id: call.id, err: error }, "why the call was refused");
        }
      };
    },
  };
}
