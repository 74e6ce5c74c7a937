import type { Socket } from "node:net";

/**
 * Identifies an open connection of a server by its addresses. With TLS, Node makes two sockets for one connection, one on
 * top of the other; both have the same addresses.
 */
export function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
