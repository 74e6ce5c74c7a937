import { readFileSync, writeFileSync } from "node:fs";

const LENGTH_BYTES = 4;

/** Writes length-prefixed encoded messages to a file, for another process. */
export function writeFrames(path: string, messages: readonly Uint8Array[]): void {
  const parts = messages.flatMap((message) => {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(message.length);
    return [length, message];
  });
  writeFileSync(path, Buffer.concat(parts));
}

/** Reads what `writeFrames` wrote. */
export function readFrames(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const messages: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
    // A copy, so that each message owns its buffer, as encoded messages do.
    messages.push(Buffer.from(bytes.subarray(at + LENGTH_BYTES, end)));
    at = end;
  }
  return messages;
}
