import type { EventEmitter } from "node:events";
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { peerOf } from "../peer.ts";
import { type RefuseEarly, refusesStream } from "./early-refusal.ts";
import { isEndless } from "./timeout.ts";

/** How long a peer may keep its half of a connection that has been closed here. */
const LINGER_MS = 1000;

export interface Connections {
  /** Ends all of them. */
  cut(): void;
  /** Ends those that have not agreed on TLS yet: grpc-js does not know them, and a stop would wait for them. */
  cutBeginning(): void;
}

/**
 * What grpc-js leaves undone beneath it, on the HTTP/2 servers that it makes (the method that makes them is private
 * to the compiler only).
 *
 * - A closed connection waits for its peer to close it too, and one that never reads never does: it would stay
 *   after an idle timeout, and a stop would not end, forced or not.
 * - A timeout is kept in 32 bits, so that 25 days become a deadline in the past and 50 days one of seven hours. A
 *   call with such a timeout has none: the header goes before grpc-js reads it.
 * - Node keeps a stream that is closed until the old generation is collected: each Writable makes a function that V8
 *   puts there (`onwrite`, since https://github.com/nodejs/node/pull/62087). By its listeners, everything that grpc-js
 *   made for the call is kept with it; they go when it closes. Measured with an exact cache hit: 3 % of what is
 *   allocated grows old instead of 8 %, a twentieth of the processor's time.
 */
export function watchConnections(
  server: Server,
  onHandshakeFailed: (error: Error) => void,
  refuseEarly: RefuseEarly,
): Connections {
  const sockets = new Set<Socket>();
  const beginning = new Map<string, Socket>();
  const createHttp2Server = server["createHttp2Server"].bind(server);
  server["createHttp2Server"] = (credentials: ServerCredentials) => {
    const http2Server: Http2Server = createHttp2Server(credentials);
    const linger = (socket: Socket): void => {
      let lingering: NodeJS.Timeout | undefined;
      socket.once("finish", () => {
        lingering = setTimeout(() => socket.destroy(), LINGER_MS);
      });
      socket.once("close", () => clearTimeout(lingering));
    };
    http2Server.on("connection", (socket: Socket) => {
      const peer = peerOf(socket);
      sockets.add(socket);
      if (credentials._isSecure()) beginning.set(peer, socket);
      socket.once("close", () => {
        sockets.delete(socket);
        beginning.delete(peer);
      });
      linger(socket);
    });
    // Of a connection with TLS, what ends is the socket above; both go when one is destroyed.
    http2Server.on("secureConnection", (socket: Socket) => {
      beginning.delete(peerOf(socket));
      linger(socket);
    });
    http2Server.on("tlsClientError", onHandshakeFailed);
    const emit = http2Server.emit.bind(http2Server);
    // A listener could not keep the stream from those behind it.
    http2Server.emit = (event: string, ...args: unknown[]): boolean => {
      if (event === "stream") {
        const [stream, headers] = args as [ServerHttp2Stream, IncomingHttpHeaders];
        if (refusesStream(stream, headers, refuseEarly)) {
          stream.on("close", letGo);
          return true;
        }
      }
      return emit(event, ...args);
    };
    http2Server.prependListener("stream", (stream, headers) => {
      if (isEndless(String(headers["grpc-timeout"]))) delete headers["grpc-timeout"];
      stream.on("close", letGo);
    });
    return http2Server;
  };
  return {
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    cutBeginning: () => {
      for (const socket of beginning.values()) socket.destroy();
    },
  };
}

/** Nothing is told of a stream after this; those that are told of its close are told all the same. */
function letGo(this: EventEmitter): void {
  // As long as somebody is told of each that goes, they go one by one.
  this.removeAllListeners("removeListener");
  this.removeAllListeners();
}
