import type { Listen } from "../config/config.ts";

/** A server cannot listen on its address; the message names the variables to change. */
export class BindError extends Error {
  override readonly name = "BindError";

  constructor(transport: "gRPC" | "HTTP", listen: Listen, cause: Error) {
    const variables = `${transport.toUpperCase()}_HOST, ${transport.toUpperCase()}_PORT`;
    const why = /EADDRINUSE|No address added/.test(cause.message)
      ? "the address is in use or not local"
      : cause.message;
    super(`cannot listen for ${transport} on ${listen.host}:${listen.port} (${variables}): ${why}`, {
      cause,
    });
  }
}
