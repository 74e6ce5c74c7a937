import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { BEGINNING, CONTINUATION, PieceTrie } from "./piece-trie.ts";

/** A row of numbers for every word piece. */
export interface EmbeddingTable {
  readonly dimension: number;
  /** The row of each piece. */
  readonly pieces: PieceTrie;
  /** The rows one after the other; each number is to be multiplied by the scale of its row. */
  readonly rows: Int8Array;
  /** Rows have length 1 on average. */
  readonly scales: Float32Array;
}

const MAGIC = "RECOLLM1";
const HEAD_BYTES = MAGIC.length + 3 * 4;
const DIGEST_BYTES = 32;

/**
 * Reads a table that scripts/local-model/make.py has written: magic; dimension, pieces and bytes of the vocabulary as
 * uint32; the vocabulary, a piece a line; a float32 a row; the rows; SHA-256 of all before it. Little-endian. Rejects
 * when that is not what the file holds.
 */
export async function readEmbeddingTable(file: URL): Promise<EmbeddingTable> {
  const content = await readFile(file);
  const body = content.subarray(0, -DIGEST_BYTES);
  const digest = createHash("sha256").update(body).digest();
  if (!digest.equals(content.subarray(-DIGEST_BYTES)) || body.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw new Error(`${file.pathname} is damaged: its checksum does not fit; restore it from the release`);
  }
  const dimension = body.readUInt32LE(MAGIC.length);
  const count = body.readUInt32LE(MAGIC.length + 4);
  const scalesAt = HEAD_BYTES + body.readUInt32LE(MAGIC.length + 8);
  const rowsAt = scalesAt + count * 4;
  const vocabulary = body.toString("utf8", HEAD_BYTES, scalesAt).replace(/\0+$/, "").split("\n");
  const pieces = new PieceTrie();
  for (const [row, piece] of vocabulary.entries()) {
    if (piece.length > 2 && piece.startsWith("##")) pieces.add(CONTINUATION, piece.slice(2), row);
    else pieces.add(BEGINNING, piece, row);
  }
  const scales = new Float32Array(count);
  for (let row = 0; row < count; row += 1) scales[row] = body.readFloatLE(scalesAt + row * 4);
  const rows = new Int8Array(body.buffer, body.byteOffset + rowsAt, count * dimension);
  return { dimension, pieces, rows, scales };
}
