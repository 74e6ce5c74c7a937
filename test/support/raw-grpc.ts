import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";

/** The outcome of a call with raw bytes. */
export interface RawOutcome {
  readonly code: number;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
  readonly reply: Buffer | undefined;
}

/** The outcome of a call of any kind, with all response messages. */
export interface RawStreamOutcome extends Omit<RawOutcome, "reply"> {
  readonly replies: readonly Buffer[];
}

/** A gRPC client for raw bytes, for requests that no generated client would make. */
export class RawGrpc implements Disposable {
  readonly #client: grpc.Client;

  constructor(address: string) {
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
    });
  }

  unary(
    path: string,
    bytes: Uint8Array,
    {
      metadata = new grpc.Metadata(),
      ...options
    }: grpc.CallOptions & { readonly metadata?: grpc.Metadata } = {},
  ): Promise<RawOutcome> {
    const same = (buffer: Buffer): Buffer => buffer;
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        path,
        same,
        same,
        Buffer.from(bytes),
        metadata,
        options,
        (error, reply) => {
          resolve({ ...detailsOf(error), reply });
        },
      );
    });
  }

  /**
   * Sends these messages, and collects all responses; for every kind of method. A watch, which has no end, is cancelled after
   * its first response.
   */
  stream(path: string, messages: readonly Uint8Array[]): Promise<RawStreamOutcome> {
    const same = (buffer: Buffer): Buffer => buffer;
    return new Promise((resolve) => {
      const call = this.#client.makeBidiStreamRequest(path, same, same, new grpc.Metadata(), {});
      const replies: Buffer[] = [];
      call.on("data", (reply: Buffer) => {
        replies.push(reply);
        if (path.endsWith("/WatchMemories")) call.cancel();
      });
      // The status contains the error.
      call.on("error", () => undefined);
      call.on("status", (status: grpc.StatusObject) => resolve({ ...detailsOf(status), replies }));
      for (const message of messages) call.write(Buffer.from(message));
      call.end();
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function detailsOf(error: grpc.StatusObject | null): Omit<RawOutcome, "reply"> {
  const [bytes] = error?.metadata.get("grpc-status-details-bin") ?? [];
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  const info = details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((one) => one !== undefined);
  const bad = details.map((detail) => anyUnpack(detail, BadRequestSchema)).find((one) => one !== undefined);
  return {
    code: error?.code ?? grpc.status.OK,
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    fields: bad?.fieldViolations.map(({ field }) => field) ?? [],
  };
}
