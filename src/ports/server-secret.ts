import type { SecretKey } from "../lib/secret-key.ts";

/** 32 random bytes, made at the first start and kept with the data: what opaque tokens are signed with. */
export interface ServerSecret {
  /** Another one when the stored data was replaced: ask again with each call. */
  read(): SecretKey;
}
