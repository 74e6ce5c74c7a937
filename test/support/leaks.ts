import { subscribe } from "node:diagnostics_channel";
import { readdirSync, readlinkSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** Open resources of the servers of this process, by port: accepted connections, and HTTP/2 streams on them. */
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

/** Open connections and streams of the servers of this process; only of these ports, if given. */
export function openOnServers(...ports: number[]): {
  readonly connections: number;
  readonly streams: number;
} {
  const count = (open: ReadonlyMap<unknown, number | undefined>): number =>
    [...open.values()].filter((port) => ports.length === 0 || (port !== undefined && ports.includes(port)))
      .length;
  return { connections: count(sockets), streams: count(streams) };
}

/** Fails when a stopped server still has connections or streams on these ports. */
export async function expectClosed(...ports: number[]): Promise<void> {
  const closed = (): boolean => Object.values(openOnServers(...ports)).every((count) => count === 0);
  if (await until(closed)) return;
  const { connections, streams: open } = openOnServers(...ports);
  throw new Error(`the server has stopped, with ${connections} connections and ${open} streams left open`);
}

/**
 * Runs this, which disposes what it opens, and fails when more is open afterwards than before: timers that keep
 * the process alive, sockets, servers, file handles, and connections and streams on servers of this process.
 * Closing takes a few ticks of the event loop; a resource that is open after a thousand ticks is a leak.
 */
export async function expectNoLeaks<T>(run: () => Promise<T>): Promise<T> {
  const opened = openNow();
  const result = await run();
  await until(() => leaksSince(opened).length === 0);
  const leaks = leaksSince(opened);
  if (leaks.length > 0) throw new Error(`left open: ${leaks.join(", ")}`);
  return result;
}

/** Number of watched servers, and the open resources before the first of them. */
let watched = 0;
let before: ReadonlyMap<string, number> = new Map();

/**
 * Watches a server from before its start. The returned function is called when the server has stopped, and fails when
 * the process has more open resources than before: with several servers at once, when the last of them has stopped.
 * Timers are only checked by expectNoLeaks: across tests the runner has timers of its own.
 */
export function watchLeaks(): () => Promise<void> {
  if (watched === 0) before = openNow();
  watched += 1;
  return async () => {
    watched -= 1;
    // Another server that starts meanwhile continues the watch.
    const leaks = (): string[] => leaksSince(before).filter((leak) => !leak.endsWith(" Timeout"));
    await until(() => watched > 0 || leaks().length === 0);
    if (watched > 0) return;
    if (leaks().length > 0) throw new Error(`the server has stopped, and left open: ${leaks().join(", ")}`);
  };
}

/** Fails when this process has an open file below the directory. On Linux only; elsewhere finds none. */
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
      // Already closed: the descriptor of the listing itself is always one of these.
      return [];
    }
  });
}

/** Resolves with whether the condition became true within a thousand ticks of the event loop. */
export async function until(condition: () => boolean): Promise<boolean> {
  for (let tick = 0; tick < 1000 && !condition(); tick += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return condition();
}

/** Resources that close by themselves, such as those of the test runner. */
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
