/**
 * Encodes what lives in one namespace as long as it does, and once as long as it is the same object: `encode` is a function
 * of both.
 */
export function encodedOnce<T extends object>(
  encode: (value: T, namespace: string) => Uint8Array,
): (value: T, namespace: string) => Uint8Array {
  const known = new WeakMap<T, Uint8Array>();
  return (value, namespace) => {
    let encoded = known.get(value);
    if (encoded === undefined) {
      encoded = encode(value, namespace);
      known.set(value, encoded);
    }
    return encoded;
  };
}
