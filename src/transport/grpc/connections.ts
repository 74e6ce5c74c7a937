import type { Http2Server } from "node:http2";
import type { Socket } from "node:net";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { isEndless } from "./timeout.ts";

/** How long a peer may keep its half of a connection that has been closed here. */
const LINGER_MS = 1000;

/**
 * What grpc-js leaves undone beneath it, on the HTTP/2 servers that it makes (the method that makes them is private
 * to the compiler only). Returns what cuts all connections.
 *
 * - A closed connection waits for its peer to close it too, and one that never reads never does: it would stay
 *   after an idle timeout, and a stop would not end, forced or not.
 * - A timeout is kept in 32 bits, so that 25 days become a deadline in the past and 50 days one of seven hours. A
 *   call with such a timeout has none: the header goes before grpc-js reads it.
 */
export function watchConnections(server: Server): () => void {
  const sockets = new Set<Socket>();
  const createHttp2Server = server["createHttp2Server"].bind(server);
  server["createHttp2Server"] = (credentials: ServerCredentials) => {
    const http2Server: Http2Server = createHttp2Server(credentials);
    http2Server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      let lingering: NodeJS.Timeout | undefined;
      socket.once("finish", () => {
        lingering = setTimeout(() => socket.destroy(), LINGER_MS);
      });
      socket.once("close", () => {
        clearTimeout(lingering);
        sockets.delete(socket);
      });
    });
    http2Server.prependListener("stream", (_stream, headers) => {
      if (isEndless(String(headers["grpc-timeout"]))) delete headers["grpc-timeout"];
    });
    return http2Server;
  };
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
