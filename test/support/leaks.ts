import { subscribe } from "node:diagnostics_channel";
import { readdirSync, readlinkSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** What is open on the servers of this process, by port: connections that they accepted, and HTTP/2 streams on them. */
const sockets = new Map<Socket, number | undefined>();
const streams = new Map<ServerHttp2Stream, number | undefined>();

subscribe("net.server.socket", (message) => {
  const { socket } = message as { socket: Socket };
  sockets.set(socket, socket.localPort);
  socket.once("close", () => sockets.delete(socket));
});
subscribe("http2.server.stream.created", (message) => {
  const { stream } = message as { stream: ServerHttp2Stream };
  streams.set(stream, stream.session?.socket?.localPort);
});
subscribe("http2.server.stream.close", (message) => {
  streams.delete((message as { stream: ServerHttp2Stream }).stream);
});

/** Connections and streams that the servers of this process have open now; on these ports alone if any are named. */
export function openOnServers(...ports: number[]): {
  readonly connections: number;
  readonly streams: number;
} {
  const count = (open: ReadonlyMap<unknown, number | undefined>): number =>
    [...open.values()].filter((port) => ports.length === 0 || (port !== undefined && ports.includes(port)))
      .length;
  return { connections: count(sockets), streams: count(streams) };
}

/** Fails when a server that has stopped still has connections or streams on these ports. */
export async function expectClosed(...ports: number[]): Promise<void> {
  const closed = (): boolean => Object.values(openOnServers(...ports)).every((count) => count === 0);
  if (await until(closed)) return;
  const { connections, streams: open } = openOnServers(...ports);
  throw new Error(`the server has stopped, with ${connections} connections and ${open} streams left open`);
}

/**
 * Runs this, which disposes what it opens, and fails when more is open afterwards than before: timers that keep
 * the process alive, sockets, servers, file handles, and connections and streams on servers of this process.
 * What is closed takes a few turns of the event loop to go; what is still there after a thousand of them stays.
 */
export async function expectNoLeaks<T>(run: () => Promise<T>): Promise<T> {
  const opened = openNow();
  const result = await run();
  await until(() => leaksSince(opened).length === 0);
  const leaks = leaksSince(opened);
  if (leaks.length > 0) throw new Error(`left open: ${leaks.join(", ")}`);
  return result;
}

/** Servers that are watched now, and what was open before the first of them. */
let watched = 0;
let before: ReadonlyMap<string, number> = new Map();

/**
 * Watches a server from before its start. What it returns is to be run when the server has stopped, and fails when the
 * process has more open then than before: with several servers at once, when the last of them has stopped. Timers are
 * left to expectNoLeaks: over several tests the runner has timers of its own.
 */
export function watchLeaks(): () => Promise<void> {
  if (watched === 0) before = openNow();
  watched += 1;
  return async () => {
    watched -= 1;
    // Another server that starts meanwhile goes on with the watch.
    const leaks = (): string[] => leaksSince(before).filter((leak) => !leak.endsWith(" Timeout"));
    await until(() => watched > 0 || leaks().length === 0);
    if (watched > 0) return;
    if (leaks().length > 0) throw new Error(`the server has stopped, and left open: ${leaks().join(", ")}`);
  };
}

/** Fails when this process has a file below the directory open. Looks where Linux tells; elsewhere sees none. */
export function expectNoOpenFiles(directory: string): void {
  const open = openFiles().filter((path) => path.startsWith(`${directory}/`));
  if (open.length > 0) throw new Error(`the server has stopped, with files open: ${open.join(", ")}`);
}

function openFiles(): string[] {
  const folder = "/proc/self/fd";
  if (process.platform !== "linux") return [];
  return readdirSync(folder).flatMap((number) => {
    try {
      return [readlinkSync(`${folder}/${number}`)];
    } catch {
      // Closed since: the folder's own is always among these.
      return [];
    }
  });
}

/** Resolves with whether this came true within a thousand turns of the event loop. */
export async function until(condition: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 1000 && !condition(); turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return condition();
}

/** Work that ends by itself, of the test runner among others. */
const PASSING: ReadonlySet<string> = new Set(["Immediate", "TickObject", "FSReqPromise", "FSReqCallback"]);

function openNow(): Map<string, number> {
  const { connections, streams: open } = openOnServers();
  const counts = new Map([
    ["server connections", connections],
    ["server streams", open],
  ]);
  for (const kind of process.getActiveResourcesInfo()) {
    if (!PASSING.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function leaksSince(earlier: ReadonlyMap<string, number>): string[] {
  return [...openNow()].flatMap(([kind, count]) => {
    const more = count - (earlier.get(kind) ?? 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}
