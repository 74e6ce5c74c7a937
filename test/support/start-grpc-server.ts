import { pino } from "pino";
import { LIMITS, type Limits } from "../../src/config/config.ts";
import { createRequestReaders } from "../../src/transport/bounds/request-reader.ts";
import { createHealth } from "../../src/transport/grpc/health.ts";
import { createGrpcServer, type GrpcServer } from "../../src/transport/grpc/server.ts";
import type { ServedService } from "../../src/transport/handler.ts";
import { anonymousAuthenticator, authentication } from "../../src/transport/middleware/authentication.ts";
import { createPipeline, type Middleware, type Outcome } from "../../src/transport/pipeline.ts";
import { UnfinishedRequests } from "../../src/transport/unfinished-requests.ts";

/** The gRPC server with the handlers of a test. */
export interface TestGrpcServer extends AsyncDisposable {
  readonly address: string;
  readonly grpc: GrpcServer;
  /** Outcomes of all calls, in order. */
  readonly outcomes: readonly Outcome[];
  /** Resolves when this number of calls has ended. */
  finished(calls: number): Promise<void>;
}

export async function startGrpcServer(
  services: readonly ServedService[],
  limits: Partial<Limits> = {},
): Promise<TestGrpcServer> {
  const outcomes: Outcome[] = [];
  const waiters: { readonly calls: number; readonly resolve: () => void }[] = [];
  const recording: Middleware = {
    name: "recording",
    end: (_call, outcome) => {
      outcomes.push(outcome);
      for (const { calls, resolve } of waiters) if (outcomes.length >= calls) resolve();
    },
  };
  const unfinished = new UnfinishedRequests({ ...LIMITS, ...limits });
  const grpc = createGrpcServer({
    log: pino({ level: "silent" }),
    listen: { host: "127.0.0.1", port: 0 },
    limits: { ...LIMITS, ...limits },
    tls: undefined,
    services,
    pipeline: createPipeline([recording, authentication(anonymousAuthenticator)]),
    readerOf: createRequestReaders(),
    unfinished,
    health: createHealth([]),
    onRefused: () => undefined,
    refuseEarly: () => undefined,
    onHandshakeFailed: () => undefined,
  });
  const port = await grpc.start();
  return {
    address: `127.0.0.1:${port}`,
    grpc,
    outcomes,
    finished: (calls) =>
      new Promise((resolve) => {
        if (outcomes.length >= calls) resolve();
        else waiters.push({ calls, resolve });
      }),
    [Symbol.asyncDispose]: async () => {
      await grpc.stop(AbortSignal.abort());
      unfinished.close();
    },
  };
}
