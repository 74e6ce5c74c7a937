import type { SecretKey } from "../lib/secret-key.ts";

/** The key that signs opaque tokens: 32 random bytes, made at the first start and stored with the data. */
export interface ServerSecret {
  /** Changes when the stored data is replaced: read it for each call. */
  read(): SecretKey;
}
