import type { TlsOptions } from "node:tls";
import type { Limits } from "../config/config.ts";
import type { TlsContext } from "../ports/tls.ts";

/** Options of the TLS handshake, of both servers. A reload changes the context alone, never these. */
export function handshakeOptions({ ca }: TlsContext, { httpHeadersMs }: Limits): TlsOptions {
  // The default of Node is two minutes.
  return { requestCert: ca !== undefined, rejectUnauthorized: true, handshakeTimeout: httpHeadersMs };
}
