"""The measured loop of a peer: a process of its own that reads one plan a line from standard input, and prints one
result a line, as bench/load.ts does for the service. A peer is a library, so its callers are threads of this process.

A plan is {"operation": name, "offset": index of the first item, "callers": threads, "seconds": bound, "calls": bound}.
Threads live as long as the process, so that /proc counts the processor time of all of them.
"""

import json
import math
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

MAX_CALLERS = 16


class Vectors:
    """The vectors that the service's embedder makes, by text: a peer looks up what it would otherwise compute."""

    def __init__(self, folder: Path) -> None:
        texts = json.loads((folder / "vector-texts.json").read_text())
        rows = np.fromfile(folder / "vectors.f32", dtype=np.float32).reshape(len(texts), -1)
        # Lists of floats, which both libraries ask of an embedder.
        self._by_text: dict[str, list[float]] = {
            text: row.tolist() for text, row in zip(texts, rows, strict=True)
        }
        self.dimension = rows.shape[1]

    def of(self, text: str) -> list[float]:
        return self._by_text[text]


class Run:
    """One load, shared by its threads."""

    def __init__(self, operation: Callable[[int], str | None], plan: dict) -> None:
        self._operation = operation
        self._next = plan["offset"]
        self._last = plan["offset"] + plan.get("calls", sys.maxsize)
        self._lock = threading.Lock()
        self._end = time.perf_counter() + plan["seconds"]
        self.durations: list[float] = []
        self.errors: list[str] = []

    def work(self) -> None:
        while True:
            with self._lock:
                item = self._next
                if item >= self._last or time.perf_counter() >= self._end:
                    return
                self._next += 1
            begin = time.perf_counter()
            try:
                failure = self._operation(item)
            except Exception as error:  # noqa: BLE001 - any failure of the library is counted and reported
                failure = repr(error)
            duration = (time.perf_counter() - begin) * 1000
            with self._lock:
                if failure is None:
                    self.durations.append(duration)
                else:
                    self.errors.append(failure)


def quantile(values: list[float], share: float) -> float:
    """Nearest rank, as bench/statistics.ts."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def serve(operations: dict[str, Callable[[int], str | None]]) -> None:
    """Executes plans until the input ends. An operation returns what is wrong with its answer, or None."""
    with ThreadPoolExecutor(MAX_CALLERS) as pool:
        # All threads exist before the first measurement.
        barrier = threading.Barrier(MAX_CALLERS)
        list(pool.map(lambda _: barrier.wait(), range(MAX_CALLERS)))
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            plan = json.loads(line)
            run = Run(operations[plan["operation"]], plan)
            start = time.perf_counter()
            for thread in [pool.submit(run.work) for _ in range(plan["callers"])]:
                thread.result()
            seconds = time.perf_counter() - start
            result = {
                "calls": len(run.durations),
                "seconds": seconds,
                "callsPerSecond": len(run.durations) / seconds,
                "p50Ms": quantile(run.durations, 0.5),
                "p95Ms": quantile(run.durations, 0.95),
                "p99Ms": quantile(run.durations, 0.99),
                "errors": len(run.errors),
                "shortReplies": 0,
                "replyBytes": 0,
            }
            if run.errors:
                result["firstError"] = run.errors[0]
            print(json.dumps(result), flush=True)
