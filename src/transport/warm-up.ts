import { create, type DescMethod } from "@bufbuild/protobuf";
import { LookupCacheRequestSchema } from "#gen/recollect/v1/cache_pb.js";
import { analyzePrompt } from "../domain/cache/analysis.ts";
import { guardPrompts } from "../domain/cache/guard.ts";
import type { ServedService } from "./handler.ts";
import { validator } from "./middleware/validation.ts";

/**
 * Makes what the first lookup in the cache would make, and lose its deadline by: the rules of its request are compiled,
 * which takes an eighth of a second on a busy machine, and so are the expressions that prompts are analysed with. To be
 * called before calls are served.
 */
export function warmUpLookups(): void {
  const prompt = "How do I cancel 2 of my orders, but not the first?";
  validator.validate(
    LookupCacheRequestSchema,
    create(LookupCacheRequestSchema, {
      prompt: { prompt: { case: "text", value: prompt } },
      scope: { model: "m" },
    }),
  );
  guardPrompts(analyzePrompt(prompt), analyzePrompt("Could you tell me how to cancel my order in the shop?"));
}

/** Compiles the rules of all other requests, one in a turn of the event loop, while calls are served already. */
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
