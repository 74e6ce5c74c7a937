"""mem0's Memory with its Redis vector store as a peer: mem0_memory.py <folder of data> <URL of Redis> <name>."""

import json
import logging
import os
import sys
from pathlib import Path

folder, url, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
# Read when mem0 is imported: nothing is sent anywhere, and its files stay in the folder of the run.
os.environ["MEM0_TELEMETRY"] = "false"
os.environ["MEM0_DIR"] = str(folder / "mem0")

# It says at its first search that spaCy is not installed.
logging.basicConfig(level=logging.ERROR)

from mem0 import Memory  # noqa: E402
from mem0.embeddings.base import EmbeddingBase  # noqa: E402

from peer import Vectors, serve  # noqa: E402

vectors = Vectors(folder)
data = json.loads((folder / "memories.json").read_text())


class LookedUp(EmbeddingBase):
    def embed(self, text, memory_action=None):
        return vectors.of(text)


# Its configuration needs a provider with a key, which is made and never called: infer=False asks no model.
unused = {"provider": "openai", "config": {"api_key": "none"}}
memory = Memory.from_config(
    {
        "embedder": unused,
        "llm": unused,
        "vector_store": {
            "provider": "redis",
            "config": {"redis_url": url, "collection_name": name, "embedding_model_dims": vectors.dimension},
        },
        "history_db_path": str(folder / "mem0-history.db"),
    }
)
memory.embedding_model = LookedUp()


def add_one(one: dict) -> str | None:
    results = memory.add(one["text"], user_id=one["userId"], metadata=one["metadata"], infer=False)["results"]
    return None if len(results) == 1 else f"{len(results)} memories were added"


def fill(item: int) -> str | None:
    return add_one(data["filled"][item])


def add(item: int) -> str | None:
    return add_one(data["added"][item])


def add_batch(item: int) -> str | None:
    batch = data["batches"][item]
    messages = [{"role": "user", "content": one["text"]} for one in batch]
    results = memory.add(messages, user_id=batch[0]["userId"], metadata=batch[0]["metadata"], infer=False)["results"]
    return None if len(results) == len(batch) else f"{len(results)} memories were added"


def search(item: int) -> str | None:
    query = data["queries"][item % len(data["queries"])]
    # Without its threshold, which would answer with fewer than ten.
    found = memory.search(query["text"], top_k=10, threshold=0.0, filters={"user_id": query["userId"]})["results"]
    return None if len(found) == 10 else f"{len(found)} results"


serve({"fill": fill, "search": search, "add": add, "add 100": add_batch})
