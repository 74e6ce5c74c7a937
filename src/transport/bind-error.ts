import type { Listen } from "../config/config.ts";

/** A door cannot listen where it should; says which variables to change. */
export class BindError extends Error {
  override readonly name = "BindError";

  constructor(door: "gRPC" | "HTTP", listen: Listen, cause: Error) {
    const variables = `${door.toUpperCase()}_HOST, ${door.toUpperCase()}_PORT`;
    const why = /EADDRINUSE|No address added/.test(cause.message)
      ? "the address is in use or not this machine's"
      : cause.message;
    super(`cannot listen for ${door} on ${listen.host}:${listen.port} (${variables}): ${why}`, { cause });
  }
}
