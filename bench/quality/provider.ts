import OpenAI from "openai";
import type { Embed } from "./nearest-intent.ts";

const BATCH = 256;

/** The provider of the environment variables, as an embedder and as settings of the service; undefined without one. */
export function openProvider(env: NodeJS.ProcessEnv) {
  const apiBase = env["EMBEDDING_API_BASE"];
  if (apiBase === undefined || apiBase === "") return undefined;
  const model = env["EMBEDDING_MODEL"] ?? "all-MiniLM-L6-v2";
  const dimension = env["VECTOR_DIM"] ?? "384";
  const apiKey = env["EMBEDDING_API_KEY"] ?? "none";
  const client = new OpenAI({ baseURL: apiBase, apiKey });
  const embed: Embed = async (texts) => {
    const vectors: Float32Array[] = [];
    for (let first = 0; first < texts.length; first += BATCH) {
      const { data } = await client.embeddings.create({ model, input: texts.slice(first, first + BATCH) });
      vectors.push(...data.map(({ embedding }) => atUnitLength(Float32Array.from(embedding))));
    }
    return vectors;
  };
  const settings = {
    EMBEDDING_PROVIDER: "openai",
    EMBEDDING_API_BASE: apiBase,
    EMBEDDING_API_KEY: apiKey,
    EMBEDDING_MODEL: model,
    VECTOR_DIM: dimension,
  };
  return { name: model, embed, settings };
}

function atUnitLength(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
