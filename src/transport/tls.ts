import type { TlsOptions } from "node:tls";
import type { Limits } from "../config/config.ts";
import type { TlsContext } from "../ports/tls.ts";

/** How a door agrees on TLS, for as long as it is open; only the context may change. */
export function handshakeOptions({ ca }: TlsContext, { httpHeadersMs }: Limits): TlsOptions {
  // Node waits two minutes for a peer that says nothing.
  return { requestCert: ca !== undefined, rejectUnauthorized: true, handshakeTimeout: httpHeadersMs };
}
