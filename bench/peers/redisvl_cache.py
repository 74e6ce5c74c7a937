"""RedisVL's SemanticCache as a peer: redisvl_cache.py <folder of data> <URL of Redis> <name> <similarity threshold>."""

import json
import sys
from pathlib import Path

from redisvl.extensions.cache.llm import SemanticCache
from redisvl.utils.vectorize import CustomVectorizer

from peer import Vectors, serve

folder, url, name, threshold = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
vectors = Vectors(folder)
entries = json.loads((folder / "entries.json").read_text())

cache = SemanticCache(
    name=name,
    redis_url=url,
    # Cosine distance, 0 to 2.
    distance_threshold=1 - threshold,
    # It embeds one text of its own when it is made, to learn the dimension.
    vectorizer=CustomVectorizer(
        embed=lambda text, **_: [0.0] * vectors.dimension if text == "dimension test" else vectors.of(text)
    ),
)


def check(prompt: str, answer: str) -> str | None:
    hits = cache.check(prompt=prompt)
    if not hits:
        return "a miss where a hit is expected"
    return None if hits[0]["response"] == answer else "the answer of another question"


def stored(item: int) -> str | None:
    entry = entries["filled"][item % len(entries["filled"])]
    return check(entry["stored"], entry["answer"])


def reworded(item: int) -> str | None:
    entry = entries["filled"][item % len(entries["filled"])]
    return check(entry["reworded"], entry["answer"])


def store(entry: dict) -> None:
    cache.store(prompt=entry["stored"], response=entry["answer"])


def fill(item: int) -> str | None:
    store(entries["filled"][item])


def add(item: int) -> str | None:
    store(entries["added"][item])


serve({"fill": fill, "check, same prompt": stored, "check, other words": reworded, "store": add})
