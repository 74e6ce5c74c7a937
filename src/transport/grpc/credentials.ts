import { ServerCredentials } from "@grpc/grpc-js";
import type { Limits } from "../../config/config.ts";
import type { Tls } from "../../ports/tls.ts";
import { handshakeOptions } from "../tls.ts";

/** In the clear when there is nothing to encrypt with. */
export function credentialsOf(tls: Tls | undefined, limits: Limits): ServerCredentials {
  return tls === undefined ? ServerCredentials.createInsecure() : new ReloadedCredentials(tls, limits);
}

/**
 * grpc-js takes new certificates from its credentials while it serves. Of those that it makes, one keeps what it was
 * given, and one (experimental) takes certificate and authorities one after the other; this takes both at once.
 */
class ReloadedCredentials extends ServerCredentials {
  constructor(tls: Tls, limits: Limits) {
    const context = tls.context();
    super(handshakeOptions(context, limits), context);
    tls.onChange((changed) => this.updateSecureContextOptions(changed));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
