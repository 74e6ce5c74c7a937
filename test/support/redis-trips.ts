import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A proxy to Redis that counts round trips. */
export interface CountedWay extends AsyncDisposable {
  readonly url: string;
  /** The cost of a call: round trips, and commands. */
  readonly cost: (
    call: () => Promise<unknown>,
  ) => Promise<{ readonly trips: number; readonly commands: number }>;
}

/** Opens a proxy port for the Redis of this address. */
export async function openCountedWay(url: string): Promise<CountedWay> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let [trips, commands] = [0, 0];
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    let answered = true;
    const pairs = [near, far] as const;
    for (const socket of pairs) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => pairs.forEach((one) => void one.destroy()));
    }
    near.on("data", (bytes) => {
      // A send after the last reply begins a new round trip.
      if (answered) trips += 1;
      answered = false;
      // Each command begins with a line of its array length; no argument of the tests contains such a line.
      commands += bytes.toString("latin1").match(/(^|\r\n)\*\d+\r\n/g)?.length ?? 0;
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      answered = true;
      near.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return {
    url: `redis://127.0.0.1:${address.port}`,
    cost: async (call) => {
      const before = { trips, commands };
      await call();
      return { trips: trips - before.trips, commands: commands - before.commands };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
