import type { Client } from "@connectrpc/connect";
import {
  WatchMemoriesResponse_Change as Change,
  type MemoryService,
  type WatchMemoriesResponse,
} from "#gen/recollect/v1/memory_pb.js";

/** An open watch, read on demand. */
export interface Watching {
  /** Resolves with the next response; rejects when the stream ends with an error. */
  next(): Promise<WatchMemoriesResponse>;
  /** The next `count` changes, in one line each: `CREATED m1 its text`. */
  changes(count: number): Promise<string[]>;
  /** The token of the last response. */
  readonly token: string;
  /** Cancels the call; resolves when it has ended. */
  cancel(): Promise<void>;
}

/** Opens a watch and reads its first response, which has a token alone. */
export async function openWatch(
  client: Client<typeof MemoryService>,
  request: { readonly namespace: string; readonly resumeToken?: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<Watching> {
  const abort = new AbortController();
  const stream = client.watchMemories(request, { signal: abort.signal, headers })[Symbol.asyncIterator]();
  let token = "";
  const next = async (): Promise<WatchMemoriesResponse> => {
    const { value, done } = await stream.next();
    if (done === true) throw new Error("the watch has ended without an error");
    token = value.resumeToken;
    return value;
  };
  const first = await next();
  if (first.change !== Change.UNSPECIFIED) throw new Error("the first response has a change");
  return {
    next,
    changes: async (count) => {
      const changes: string[] = [];
      while (changes.length < count) {
        const { change, memory } = await next();
        if (change === Change.UNSPECIFIED) continue;
        changes.push([Change[change], memory?.id, memory?.text].join(" ").trim());
      }
      return changes;
    },
    get token() {
      return token;
    },
    cancel: async () => {
      abort.abort();
      await stream.next().then(
        () => undefined,
        () => undefined,
      );
    },
  };
}
