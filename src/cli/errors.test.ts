import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { ConfigError } from "../config/config-error.ts";
import { describeError, describeItemError } from "./errors.ts";
import { UsageError } from "./usage-error.ts";

const ADDRESS = "localhost:50051";

describe("describeError", () => {
  it("shows the status code when there is no reason", () => {
    const error = new ConnectError("the operation timed out", Code.DeadlineExceeded);
    expect(describeError(error, ADDRESS)).toEqual(["recollect: the operation timed out (DEADLINE_EXCEEDED)"]);
  });

  it("shows how to start a server when none answers", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const error = new ConnectError("x", Code.Unavailable, undefined, undefined, refused);
    expect(describeError(error, ADDRESS)).toEqual([
      "recollect: no server at localhost:50051; start one with `make run`",
    ]);
  });

  it.each([
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /--tls-ca/],
    ["CERT_HAS_EXPIRED", /expired/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /another name/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", /does not speak TLS/],
    ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", /HTTP port/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", /--tls-cert/],
    ["ERR_SSL_BAD_SIGNATURE", /ERR_SSL_BAD_SIGNATURE/],
    ["ECONNRESET", /https:/],
  ])("describes TLS errors: %s", (code, says) => {
    const cause = Object.assign(new Error("openssl"), { code });
    const [line, ...more] = describeError(
      new ConnectError("x", Code.Internal, undefined, undefined, cause),
      ADDRESS,
    );
    expect([line, more]).toEqual([expect.stringMatching(says), []]);
    expect(line).toContain(ADDRESS);
  });

  it("shows each configuration problem on a line", () => {
    expect(describeError(new ConfigError(["A is 1", "B is 2"]), ADDRESS)).toEqual([
      "recollect: A is 1",
      "recollect: B is 2",
    ]);
  });

  it("does not repeat a violation that equals the message", () => {
    const error = new ConnectError("limit: too high", Code.InvalidArgument);
    error.details = [
      {
        type: BadRequestSchema.typeName,
        value: toBinary(
          BadRequestSchema,
          create(BadRequestSchema, { fieldViolations: [{ field: "limit", description: "too high" }] }),
        ),
      },
    ];
    expect(describeError(error, ADDRESS)).toEqual(["recollect: limit: too high (INVALID_ARGUMENT)"]);
  });

  it("shows the message of a usage error, and the stack of a bug", () => {
    expect(describeError(new UsageError("give a text"), ADDRESS)).toEqual(["recollect: give a text"]);
    expect(describeError(new TypeError("x is not a function"), ADDRESS)[0]).toContain("errors.test.ts");
  });
});

describe("describeItemError", () => {
  it("shows the reason, the fields and the retry delay", () => {
    const status = {
      code: Code.InvalidArgument,
      message: "the request\nis invalid",
      details: [
        anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "REQUEST_INVALID", domain: "recollect" })),
        anyPack(
          BadRequestSchema,
          create(BadRequestSchema, { fieldViolations: [{ field: "memory.text", description: "is empty" }] }),
        ),
        anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(2_000) })),
      ],
    };
    expect(describeItemError({ code: 3, message: "memories[7].text: too long", details: [] }, "")).toEqual([
      "recollect: text: too long (INVALID_ARGUMENT)",
    ]);
    expect(describeItemError(status, "a.jsonl, line 3")).toEqual([
      "recollect: a.jsonl, line 3: the request is invalid (REQUEST_INVALID)",
      "  memory.text: is empty",
      "  try again in 2 s",
    ]);
  });
});
