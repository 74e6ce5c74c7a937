import { ServerCredentials } from "@grpc/grpc-js";
import type { Limits } from "../../config/config.ts";
import type { Tls } from "../../ports/tls.ts";
import { handshakeOptions } from "../tls.ts";
import { ReloadableCredentials } from "./internals.ts";

/** Credentials that follow the certificates of `tls`; insecure ones without it. */
export function credentialsOf(tls: Tls | undefined, limits: Limits): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const context = tls.context();
  const credentials = new ReloadableCredentials(handshakeOptions(context, limits), context);
  tls.onChange((changed) => credentials.change(changed));
  return credentials;
}
