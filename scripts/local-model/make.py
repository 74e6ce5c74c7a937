#!/usr/bin/env python3
"""Makes the static embedding table of the provider `local`: src/adapters/local/minilm-static.bin.

    make local-model            (Python 3.11 or newer; packages in requirements.txt)

1. Untrained: the last layer of all-MiniLM-L6-v2 for every word piece alone, projected to 256 numbers by PCA, weighted
   with log(1 + rank), where rank is the place in the vocabulary, which is sorted by frequency.
2. Trained: from there towards the model's vectors of whole texts (corpora.py), projected to 256 by their own PCA.
3. What is shipped: a mixture of both, each scaled to unit mean length, as int8 with a scale a row.

docs/embedding.md has the figures, and why these numbers were chosen. Another BLAS or processor sums in another order, so
bytes may differ; the quality must not.
"""
import argparse
import hashlib
import struct
from pathlib import Path

import numpy as np

from corpora import training_texts
from teacher import ROOT, load_teacher, piece_vectors, sentence_vectors
from training import train

DIMENSION = 256
UNTRAINED_SHARE = 0.5
MAGIC = b"RECOLLM1"
# The vocabulary begins with [PAD], [unused..], [UNK], [CLS], [SEP], [MASK]: no text has them.
FIRST_PIECE = 999


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "local-model", help="what is fetched and kept")
    parser.add_argument("--out", type=Path, default=ROOT / "src" / "adapters" / "local" / "minilm-static.bin")
    parser.add_argument("--untrained", action="store_true", help="leave out the training")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    minilm, model = load_teacher(options.work)
    vocabulary = (options.work / "model" / "vocab.txt").read_text("utf-8").split("\n")[:30_522]
    table = untrained(piece_vectors(minilm, model, len(vocabulary)))
    if not options.untrained:
        texts = training_texts(options.work)
        targets = sentence_vectors(model, texts, options.work / f"teacher-{of_texts(texts)}.npy")
        model.tok.no_truncation()
        ids = [encoding.ids for encoding in model.tok.encode_batch(texts, add_special_tokens=False)]
        trained = train(table, ids, project(targets, DIMENSION))
        table = UNTRAINED_SHARE * table + (1 - UNTRAINED_SHARE) * scaled(trained)
    content = packed(vocabulary[FIRST_PIECE:], table[FIRST_PIECE:])
    options.out.write_bytes(content)
    print(f"{options.out}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


def untrained(pieces: np.ndarray) -> np.ndarray:
    rank = np.maximum(np.arange(len(pieces)) - FIRST_PIECE + 1, 1)
    return scaled(project(pieces, DIMENSION) * np.log1p(rank)[:, None].astype(np.float32))


def project(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """PCA: the coordinates along the directions in which the vectors differ most."""
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return (centred @ directions[:, ::-1][:, :dimension]).astype(np.float32)


def scaled(table: np.ndarray) -> np.ndarray:
    """To rows that have length 1 on average."""
    return table / np.linalg.norm(table[FIRST_PIECE:], axis=1).mean()


def packed(vocabulary: list, table: np.ndarray) -> bytes:
    """Magic, three numbers, the pieces, a scale a row, the rows, and the SHA-256 of all that; little-endian."""
    words = "\n".join(vocabulary).encode()
    words += b"\0" * (-len(words) % 4)
    scales = np.maximum(np.abs(table).max(1) / 127, 1e-12).astype("<f4")
    rows = np.clip(np.rint(table / scales[:, None]), -127, 127).astype(np.int8)
    head = MAGIC + struct.pack("<III", table.shape[1], len(vocabulary), len(words))
    content = head + words + scales.tobytes() + rows.tobytes()
    return content + hashlib.sha256(content).digest()


def of_texts(texts: list) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
