/** The models that come with the service. A name changes whenever the same text would get another vector. */
export const HASHING_MODEL = { provider: "hashing", model: "hashing-1" } as const;
export const LOCAL_MODEL = { provider: "local", model: "minilm-static-1", dimension: 256 } as const;

/** Whether the provider makes vectors in this process. */
export function isBuiltIn(provider: string): boolean {
  return provider === HASHING_MODEL.provider || provider === LOCAL_MODEL.provider;
}
