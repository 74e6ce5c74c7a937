import {
  create,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  toJson,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { TestApp } from "./start-app.ts";

/** Client transports of a server. */
export interface Transports extends Disposable {
  readonly grpc: Transport;
  readonly http: Transport;
}

export function transportsOf(app: Pick<TestApp, "grpcAddress" | "httpUrl">): Transports {
  const baseUrl = `http://${app.grpcAddress}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  return {
    grpc: createGrpcTransport({ baseUrl, sessionManager }),
    http: createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1", useBinaryFormat: false }),
    [Symbol.dispose]: () => sessionManager.abort(),
  };
}

/**
 * Calls any method by its descriptor, with messages as JSON; one that streams no requests takes the first alone.
 * Resolves with all response messages.
 */
export async function callMethod(
  transport: Transport,
  method: DescMethod,
  requests: readonly JsonObject[],
  apiKey?: string,
): Promise<JsonValue[]> {
  const header = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const messages = requests.map((request) => fromJson(method.input, request));
  if (method.methodKind === "unary") {
    const message = messages[0] ?? create(method.input);
    const answer = await transport.unary(method as DescMethodUnary, undefined, undefined, header, message);
    return [toJson(method.output, answer.message)];
  }
  const watching = new AbortController();
  const answer = await transport.stream(
    method as DescMethodStreaming,
    watching.signal,
    undefined,
    header,
    streamOf(messages),
  );
  const answers: JsonValue[] = [];
  try {
    for await (const message of answer.message) {
      const shown = toJson(method.output, message);
      // A watch has no end: its first silence is taken for one.
      if (method.name === "WatchMemories" && answers.length > 0 && !Object.hasOwn(shown as object, "change"))
        break;
      answers.push(shown);
    }
    return answers;
  } finally {
    // Else its connection stays open.
    watching.abort();
  }
}

async function* streamOf<T extends MessageInitShape<DescMethod["input"]>>(
  messages: readonly T[],
): AsyncIterable<T> {
  yield* messages;
}
