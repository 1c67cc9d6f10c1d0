"""One short question per group, whose answer is computed by running the thing that it asks about.

Shown beside the self-rating, so that "4 of 5" can be held against something. A diagnostic never changes the band: one
question says little about a field, and nobody should learn it by heart.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import textwrap
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from labsupport.errors import LabsError
from labsupport.introduction.quiz.items import GROUPS

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec:
  replicas: 10
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 25%, maxSurge: 25%}
"""

REPLICAS, WRITE_QUORUM = 5, 3

# Llama 2 7B: 32 layers with 32 key/value heads of 128 elements (Touvron et al., 2023), in fp16.
LAYERS, KV_HEADS, HEAD_SIZE, BYTES_PER_ELEMENT = 32, 32, 128, 2
SEQUENCES, TOKENS = 4, 4096


def unavailable_pods(manifest: str) -> int:
    """Return how many pods of a Deployment may be unavailable during a rolling update; a share is rounded down.

    Source: Kubernetes documentation, Deployments, "Max Unavailable".
    """
    import yaml

    spec = yaml.safe_load(manifest)["spec"]
    limit = spec["strategy"]["rollingUpdate"]["maxUnavailable"]
    if isinstance(limit, int):
        return limit
    return int(spec["replicas"]) * int(limit.removesuffix("%")) // 100


def smallest_read_quorum(replicas: int, write_quorum: int) -> int:
    """Return the fewest replicas to read so that every choice of them holds the last acknowledged write; by trying."""
    nodes = range(replicas)

    def always_meets(read_quorum: int) -> bool:
        reads, writes = itertools.combinations(nodes, read_quorum), itertools.combinations(nodes, write_quorum)
        return all(set(read) & set(write) for read, write in itertools.product(reads, writes))

    return next(size for size in range(1, replicas + 1) if always_meets(size))


def kv_cache_bytes(sequences: int, tokens: int) -> int:
    """Return the key/value cache of that many sequences: 2 x layers x heads x head size x bytes x tokens each."""
    return 2 * LAYERS * KV_HEADS * HEAD_SIZE * BYTES_PER_ELEMENT * tokens * sequences


# The source of these two is the question, so they carry nothing that is not part of it.
async def worker(name: str, log: list[str]) -> None:
    log.append(f"{name}1")
    await asyncio.sleep(0)
    log.append(f"{name}2")


async def main() -> str:
    log: list[str] = []
    task = asyncio.create_task(worker("a", log))
    await worker("b", log)
    await task
    return " ".join(log)


def printed_by_main() -> str:
    """Run `main` in a thread of its own: a notebook's thread already runs an event loop."""
    printed: list[str] = []
    thread = threading.Thread(target=lambda: printed.append(asyncio.run(main())))
    thread.start()
    thread.join()
    return printed[0]


@dataclass(frozen=True)
class Diagnostic:
    """A question with something to read, and how to find the right answer by running it; a notebook displays it."""

    group: str
    question: str
    material: str
    run: Callable[[], object]
    explanation: str

    def accepts(self, answer: object) -> bool:
        """Whether the answer is what running it gives; numbers as numbers, words whatever their case and spacing."""
        truth = self.run()
        if isinstance(truth, str):
            return isinstance(answer, str) and answer.lower().split() == truth.lower().split()
        if isinstance(answer, bool):
            return False
        try:
            return float(answer) == truth  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return False  # no number: a wrong answer, not an error

    def __repr__(self) -> str:
        return f"{self.question}\n\n{textwrap.indent(self.material, '    ')}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        html = f"<div><p>{escape(self.question)}</p><pre>{escape(self.material)}</pre></div>"
        return {"text/plain": repr(self), "text/html": html}


DIAGNOSTICS = {
    diagnostic.group: diagnostic
    for diagnostic in (
        Diagnostic(
            "infrastructure",
            "How many pods may be unavailable during a rolling update of this Deployment? (a number)",
            DEPLOYMENT,
            lambda: unavailable_pods(DEPLOYMENT),
            "25 % of 10 is 2.5. maxUnavailable is rounded down and maxSurge up, so that a share never takes away more "
            "pods than it says: 2 may be missing, 3 may be added.",
        ),
        Diagnostic(
            "distributed-systems",
            "A write is acknowledged once W replicas have it. From how many replicas must a read take its answer so "
            "that it always sees the last acknowledged write? (a number)",
            f"replicas N = {REPLICAS}\nwrite quorum W = {WRITE_QUORUM}",
            lambda: smallest_read_quorum(REPLICAS, WRITE_QUORUM),
            "Two sets meet in every case only if R + W > N: 5 - 3 + 1 = 3. With 2, the two replicas that missed the "
            "write may be the ones that answer.",
        ),
        Diagnostic(
            "ml",
            "How many GiB of keys and values does the server hold for these sequences? (a number)",
            f"layers {LAYERS}, key/value heads {KV_HEADS}, head size {HEAD_SIZE}, fp16\n"
            f"{SEQUENCES} sequences of {TOKENS} tokens, all of them cached",
            lambda: kv_cache_bytes(SEQUENCES, TOKENS) / 2**30,
            "Keys and values are two tensors per layer: 2 x 32 x 32 x 128 x 2 bytes = 0.5 MiB per token, 2 GiB per "
            "sequence, 8 GiB for four. Leaving out the factor 2 for keys and values gives 4.",
        ),
        Diagnostic(
            "programming",
            "What does `print(asyncio.run(main()))` print?",
            "\n\n".join(inspect.getsource(function) for function in (worker, main)),
            printed_by_main,
            "create_task only schedules a; awaiting a coroutine runs it at once, so b comes first. sleep(0) gives the "
            "loop one turn, in which a starts.",
        ),
    )
}


def diagnose(group: str, answer: object) -> bool:
    """Say whether an answer to a group's question is right, by running what the question asks about.

    Raises:
        LabsError: there is no such group.
    """
    if group not in DIAGNOSTICS:
        raise LabsError(f"group {group!r}: no diagnostic; choose one of {', '.join(item.id for item in GROUPS)}")
    return DIAGNOSTICS[group].accepts(answer)
