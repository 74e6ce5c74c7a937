import { createServer, type Socket } from "node:net";
import { onFreePort } from "./process.ts";

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
      for (let command = COMMAND.exec(text); command !== null; command = COMMAND.exec(text)) {
        text = text.slice(command[0].length);
        answer(socket, wordsOf(command[0]));
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
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(free, HOST, resolve);
    await promise;
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

/** A command whose arguments hold no line break. */
const COMMAND = /^\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+(?=\*|$)/;

function wordsOf(command: string): string[] {
  return command.split("\r\n").filter((_, line) => line > 0 && line % 2 === 0);
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function encoded(texts: readonly string[]): string {
  return `*${texts.length}\r\n${texts.map(bulk).join("")}`;
}
