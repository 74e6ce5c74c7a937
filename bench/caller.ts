import { type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { CLIENT_OPTIONS, raw } from "./options.ts";

const CALL_TIMEOUT_MS = 60_000;

/** The path of a method, such as /recollect.v1.CacheService/LookupCache. */
export function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Makes calls that are not measured: to fill a store, and to record replies. */
export class Caller implements Disposable {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), CLIENT_OPTIONS);
  }

  /** Sends encoded bytes and resolves with encoded bytes. */
  bytes(path: string, request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      this.#client.makeUnaryRequest(path, raw, raw, Buffer.from(request), { deadline }, (error, reply) => {
        if (error !== null) reject(error);
        else if (reply === undefined) reject(new Error(`${path} gave no reply`));
        else resolve(reply);
      });
    });
  }

  async call<M extends DescMethodUnary>(
    method: M,
    request: MessageShape<M["input"]>,
  ): Promise<MessageShape<M["output"]>> {
    const reply = await this.bytes(pathOf(method), toBinary<M["input"]>(method.input, request));
    return fromBinary<M["output"]>(method.output, reply);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
