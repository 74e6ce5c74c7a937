import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { onFreePort, PortTakenError } from "./process.ts";

/** Stands in for a Sentinel where a real one cannot be made to say two things in a given order. */
export interface ToldSentinel extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** From now on nobody is told who is the primary; resolves when somebody asks. */
  holdAnswers(): Promise<void>;
  /** Answers those who were kept waiting, and whoever comes. */
  giveAnswers(): void;
  /** Tells who listens that there is another primary; resolves when none of them listens any more. */
  tellFailover(): Promise<void>;
}

const HOST = "127.0.0.1";
const CHANNEL = "+switch-master";

/** Names this server as the primary. */
export async function startToldSentinel(primary: {
  readonly host: string;
  readonly port: number;
}): Promise<ToldSentinel> {
  const sockets = new Set<Socket>();
  const listening = new Set<Socket>();
  let held: (() => void)[] | undefined;
  let asked = Promise.withResolvers<void>();
  let deaf = Promise.withResolvers<void>();

  const answer = (socket: Socket, [name = "", what = ""]: readonly string[]): void => {
    switch (`${name} ${what}`.toLowerCase()) {
      case "sentinel get-master-addr-by-name": {
        const give = (): void => void socket.write(encoded([primary.host, String(primary.port)]));
        asked.resolve();
        if (held === undefined) give();
        else held.push(give);
        break;
      }
      case "sentinel sentinels":
        socket.write(encoded([]));
        break;
      case `subscribe ${CHANNEL}`:
        listening.add(socket);
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
    // The close that follows is what counts.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      if (listening.delete(socket) && listening.size === 0) deaf.resolve();
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
    holdAnswers: () => {
      held = [];
      asked = Promise.withResolvers();
      return asked.promise;
    },
    giveAnswers: () => {
      for (const give of held ?? []) give();
      held = undefined;
    },
    tellFailover: () => {
      if (listening.size === 0) throw new Error("nobody listens");
      deaf = Promise.withResolvers();
      for (const socket of listening) socket.write(encoded(["message", CHANNEL, "another primary"]));
      return deaf.promise;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<unknown>((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Of a command whose arguments hold no line break: `*2`, `$4`, `PING`, `$2`, `hi`. */
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
