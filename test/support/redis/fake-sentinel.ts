import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { onFreePort, PortTakenError } from "./process.ts";

/** A fake Sentinel, for orders of events that a real one cannot be made to produce. */
export interface FakeSentinel extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Holds back replies to queries for the primary; resolves at the first query. */
  pauseReplies(): Promise<void>;
  /** Sends the held replies, and answers later queries at once. */
  resumeReplies(): void;
  /** Publishes a failover to all subscribers; resolves when they have disconnected. */
  publishFailover(): Promise<void>;
}

const HOST = "127.0.0.1";
const CHANNEL = "+switch-master";

/** Names this server as the primary. */
export async function startFakeSentinel(primary: {
  readonly host: string;
  readonly port: number;
}): Promise<FakeSentinel> {
  const sockets = new Set<Socket>();
  const subscribers = new Set<Socket>();
  let pausedReplies: (() => void)[] | undefined;
  let queried = Promise.withResolvers<void>();
  let unsubscribed = Promise.withResolvers<void>();

  const answer = (socket: Socket, [name = "", what = ""]: readonly string[]): void => {
    switch (`${name} ${what}`.toLowerCase()) {
      case "sentinel get-master-addr-by-name": {
        const reply = (): void => void socket.write(encoded([primary.host, String(primary.port)]));
        queried.resolve();
        if (pausedReplies === undefined) reply();
        else pausedReplies.push(reply);
        break;
      }
      case "sentinel sentinels":
        socket.write(encoded([]));
        break;
      case `subscribe ${CHANNEL}`:
        subscribers.add(socket);
        socket.write(`*3\r\n${bulk("subscribe")}${bulk(CHANNEL)}:1\r\n`);
        break;
      default:
        socket.write("+OK\r\n");
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (let lines = text.split("\r\n"); lines.length > linesOf(lines); lines = text.split("\r\n")) {
        const command = lines.slice(0, linesOf(lines));
        text = lines.slice(command.length).join("\r\n");
        answer(socket, wordsOf(command));
      }
    });
    // The close event follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      if (subscribers.delete(socket) && subscribers.size === 0) unsubscribed.resolve();
    });
  });
  const port = await onFreePort(async (free) => {
    server.listen(free, HOST);
    try {
      await once(server, "listening");
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "EADDRINUSE" ? new PortTakenError() : error;
    }
    return free;
  });
  return {
    host: HOST,
    port,
    pauseReplies: () => {
      pausedReplies = [];
      queried = Promise.withResolvers();
      return queried.promise;
    },
    resumeReplies: () => {
      for (const reply of pausedReplies ?? []) reply();
      pausedReplies = undefined;
    },
    publishFailover: () => {
      if (subscribers.size === 0) throw new Error("there are no subscribers");
      unsubscribed = Promise.withResolvers();
      for (const socket of subscribers) socket.write(encoded(["message", CHANNEL, "another primary"]));
      return unsubscribed.promise;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<unknown>((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Number of lines of a command whose arguments have no line breaks: `*2`, `$4`, `PING`, `$2`, `hi`. */
function linesOf([count = ""]: readonly string[]): number {
  return 1 + 2 * Number(count.slice(1));
}

function wordsOf(command: readonly string[]): string[] {
  return command.filter((_, line) => line > 0 && line % 2 === 0);
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function encoded(texts: readonly string[]): string {
  return `*${texts.length}\r\n${texts.map(bulk).join("")}`;
}
