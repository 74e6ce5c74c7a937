import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { freePort } from "./process.ts";

/** How the proxy treats bytes and connections; open connections follow a change of the mode. */
export type ProxyMode =
  | { readonly kind: "pass" }
  /** Delays each reply by so much, or until the mode changes. */
  | { readonly kind: "delay"; readonly ms: number }
  /** A connection is reset when so many bytes of replies went through it in this mode. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** Refuses connections, and resets open ones. */
  | { readonly kind: "refuse" }
  /** Accepts connections and holds all bytes back; they are forwarded in order when the mode changes. */
  | { readonly kind: "stall" };

/** Stands between a client and a server on this machine: `await proxy.set({ kind: "stall" })`. */
export interface TcpProxy extends AsyncDisposable {
  /** The address of the proxy, the same in every mode. */
  readonly host: string;
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** Connections that were taken so far. */
  readonly accepted: number;
  /** Resolves when the mode holds; it starts with `pass`. */
  set(mode: ProxyMode): Promise<void>;
}

interface Connection {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes of replies since the mode was set. */
  replied: number;
}

const HOST = "127.0.0.1";

export async function startTcpProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<TcpProxy> {
  let mode: ProxyMode = { kind: "pass" };
  let changed = Promise.withResolvers<void>();
  const connections = new Set<Connection>();

  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    const upstream = connect(target.port, target.host);
    const connection: Connection = { client, upstream, replied: 0 };
    connections.add(connection);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.setNoDelay(true);
      // An error is followed by the close, which the other side gets to see too.
      one.on("error", () => undefined);
      one.on("close", () => {
        connections.delete(connection);
        other.destroy();
      });
    }
    relay(
      client,
      (bytes) => upstream.write(bytes),
      () => 0,
    );
    relay(
      upstream,
      (bytes) => reply(connection, bytes),
      () => (mode.kind === "delay" ? mode.ms : 0),
    );
  });

  /** Forwards bytes in order, with the delay of the mode. */
  const relay = (from: Socket, handOn: (bytes: Buffer) => void, delayMs: () => number): void => {
    let before = Promise.resolve();
    from.on("data", (bytes) => {
      const ms = delayMs();
      const due =
        ms === 0 ? undefined : Promise.race([setTimeout(ms, undefined, { ref: false }), changed.promise]);
      before = before.then(async () => {
        await due;
        while (mode.kind === "stall") await changed.promise;
        handOn(bytes);
      });
    });
  };

  const reply = (connection: Connection, bytes: Buffer): void => {
    const { client } = connection;
    if (client.destroyed) return;
    const left = mode.kind === "cut" ? mode.afterBytes - connection.replied : Number.POSITIVE_INFINITY;
    connection.replied += bytes.length;
    if (bytes.length < left) client.write(bytes);
    else client.write(bytes.subarray(0, left), () => client.resetAndDestroy());
  };

  const listen = async (port: number): Promise<void> => {
    server.listen(port, HOST);
    await once(server, "listening");
  };
  const refuse = async (): Promise<void> => {
    const closed = [once(server, "close"), ...[...connections].map(({ client }) => once(client, "close"))];
    server.close();
    for (const { client } of connections) client.resetAndDestroy();
    await Promise.all(closed);
  };

  const port = await freePort();
  await listen(port);
  return {
    host: HOST,
    port,
    get connections() {
      return connections.size;
    },
    get accepted() {
      return accepted;
    },
    set: async (next) => {
      mode = next;
      for (const connection of connections) connection.replied = 0;
      changed.resolve();
      changed = Promise.withResolvers();
      if (next.kind === "refuse" && server.listening) await refuse();
      if (next.kind !== "refuse" && !server.listening) await listen(port);
    },
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await refuse();
    },
  };
}
