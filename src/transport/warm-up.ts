import { create, type DescMethod } from "@bufbuild/protobuf";
import { LookupCacheRequestSchema } from "#gen/recollect/v1/cache_pb.js";
import { analyzePrompt } from "../domain/cache/analysis.ts";
import { guardPrompts } from "../domain/cache/guard.ts";
import type { Lexicon } from "../domain/cache/lexicon.ts";
import type { ServedService } from "./handler.ts";
import { validator } from "./middleware/validation.ts";

/**
 * Compiles the validation rules of LookupCache and the expressions of prompt analysis, before the first call is served.
 * The rules alone take an eighth of a second on a busy machine: the first lookup would miss its deadline.
 */
export function warmUpLookups(lexicon: Lexicon): void {
  const prompt = "How do I cancel 2 of my orders, but not the first?";
  validator.validate(
    LookupCacheRequestSchema,
    create(LookupCacheRequestSchema, {
      prompt: { prompt: { case: "text", value: prompt } },
      scope: { model: "m" },
    }),
  );
  const stored = analyzePrompt("Could you tell me how to cancel my order in the shop?");
  guardPrompts(analyzePrompt(prompt), stored, lexicon);
}

/** Compiles the validation rules of all other requests, and yields to the event loop after each. */
export function warmUpRequests(services: readonly ServedService[]): void {
  const methods = services.flatMap(({ service, handlers }) =>
    service.methods.filter(({ localName }) => handlers[localName] !== undefined),
  );
  const next = ([method, ...others]: readonly DescMethod[]): void => {
    if (method === undefined) return;
    validator.validate(method.input, create(method.input));
    setImmediate(() => next(others)).unref();
  };
  setImmediate(() => next(methods)).unref();
}
