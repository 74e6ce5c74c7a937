"""The texts that the table is trained on: openly licensed, none share-alike, none of them an evaluation set.

Each corpus is named with its address, its licence and what pins it: the commit of a git repository, or the SHA-256 of a
package. What is fetched is kept in the given folder and fetched once.
"""
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

# name -> (address, commit, licence); a commit's id is a checksum of all that it holds
REPOSITORIES = {
    "multidogo": ("https://github.com/awslabs/multi-domain-goal-oriented-dialogues-dataset",
                  "baa30639c4b271f394b81443c842193407cdf26d", "CDLA-Permissive-1.0"),
    "nlu-evaluation-data": ("https://github.com/xliuhw/NLU-Evaluation-Data",
                            "f6071b496b17d71e6eb43f543af0707f4ff30557", "CC BY 4.0"),
    "snips": ("https://github.com/snipsco/nlu-benchmark",
              "b86ac7f1577868c42158d0dec77db50956046696", "CC0 1.0"),
    "common-voice": ("https://github.com/mozilla/voice-web",
                     "e0bfbc4be9eb6a97f7dd92eb938200f09f04ba96", "CC0 1.0 (server/data/en/LICENSE)"),
}
# From PyPI: BYU PCC's Chit-Chat Dataset, MIT
CHITCHAT = ("chitchat-dataset==0.9.0", "7bf89f36645e2d5ec87d53370c8e851b5a688479c7beb7079cb4c87fc5acea3e")

# How many texts are taken of each; the rest would only make the common phrases of one corpus more common.
SHARES = {"chitchat": 26_000, "multidogo": 18_000, "nlu-evaluation-data": 16_000, "common-voice": 8_000, "snips": 4_000}
MIN_WORDS, MAX_WORDS = 4, 40


def training_texts(folder: Path) -> list[str]:
    """Texts of 4 to 40 words, each once, in an order that depends on them alone."""
    sources = {"chitchat": chitchat, "multidogo": multidogo, "nlu-evaluation-data": nlu_evaluation_data,
               "common-voice": common_voice, "snips": snips}
    chosen = set()
    for name, share in SHARES.items():
        texts = {clean(text) for text in sources[name](folder)}
        fit = [text for text in texts if MIN_WORDS <= len(text.split()) <= MAX_WORDS]
        taken = sorted(fit, key=digest)[:share]
        print(f"{name}: {len(taken)} of {len(fit)} texts", file=sys.stderr)
        chosen.update(taken)
    return sorted(chosen, key=digest)


def clean(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def chitchat(folder: Path):
    """Strangers who talk about their day, likes and plans (Wilcoxon et al., 2018-2020)."""
    package, expected = CHITCHAT
    found = list(folder.glob("chitchat_dataset-*.whl"))
    if not found:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
                        "-d", str(folder), package], check=True)
        found = list(folder.glob("chitchat_dataset-*.whl"))
    content = found[0].read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise SystemExit(f"{found[0]} is not the package that was pinned")
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        conversations = json.loads(wheel.read("chitchat_dataset/dataset.json"))
    for conversation in conversations.values():
        for turn in conversation["messages"]:
            yield from (message["text"] for message in turn)


def multidogo(folder: Path):
    """Customers of an airline, a bank, an insurance and others (Peskov et al., EMNLP 2019)."""
    repository = Repository(folder, "multidogo")
    for path in repository.paths("data/paper_splits/splits_annotated_at_sentence_level"):
        for row in csv.DictReader(io.StringIO(repository.read(path)), delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["utterance"] or ""


def nlu_evaluation_data(folder: Path):
    """What people say to an assistant at home (Liu et al., IWSDS 2019)."""
    repository = Repository(folder, "nlu-evaluation-data")
    fold = "CrossValidation/autoGeneFromRealAnno/autoGene_2018_03_22-13_01_25_169/CrossValidation/KFold_1"
    for path in repository.paths(fold):
        if not re.search(r"/(testset|trainset)/(csv/)?[^/]*\.csv$", path):
            continue
        for row in csv.DictReader(io.StringIO(repository.read(path)), delimiter=";"):
            yield row.get("answer_from_anno") or ""


def snips(folder: Path):
    """Commands to an assistant (Coucke et al., 2018)."""
    repository = Repository(folder, "snips")
    for path in repository.paths("2017-06-custom-intent-engines"):
        if not path.endswith("_full.json") or "/train_" not in path:
            continue
        for queries in json.loads(repository.read(path)).values():
            for query in queries:
                yield "".join(part["text"] for part in query["data"])


def common_voice(folder: Path):
    """Sentences that people gave to Mozilla's Common Voice to be read aloud."""
    repository = Repository(folder, "common-voice")
    for path in repository.paths("server/data/en"):
        if path.endswith("wiki.en.txt") or not path.endswith(".txt"):
            continue
        yield from repository.read(path).splitlines()


class Repository:
    """A git repository at a commit, in `<folder>/<name>.git`; fetched when that is missing."""

    def __init__(self, folder: Path, name: str):
        address, self.commit, _ = REPOSITORIES[name]
        self.directory = folder / f"{name}.git"
        if not self.directory.exists():
            self.git("init", "-q", "--bare")
        # Not the directory: a fetch that failed leaves one.
        if not self.has_commit():
            self.git("fetch", "-q", "--depth", "1", address, self.commit)

    def has_commit(self) -> bool:
        arguments = ["git", f"--git-dir={self.directory}", "cat-file", "-e", f"{self.commit}^{{commit}}"]
        return subprocess.run(arguments, stderr=subprocess.DEVNULL).returncode == 0

    def paths(self, below: str) -> list[str]:
        return self.git("-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", self.commit, below + "/").splitlines()

    def read(self, path: str) -> str:
        return self.git("show", f"{self.commit}:{path}")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", f"--git-dir={self.directory}", *arguments], stdout=subprocess.PIPE, check=True)
        return done.stdout.decode("utf-8", "replace")
