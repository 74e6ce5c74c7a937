import type { Socket } from "node:net";

/**
 * What no other open connection of a server has. With TLS a connection begins as one socket and goes on as another,
 * which Node lays over it: this is what both know.
 */
export function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
