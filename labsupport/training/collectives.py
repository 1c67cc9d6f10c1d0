"""Ring all-reduce as a program per rank, and two ways to run it: in lockstep here, or on Ray actors.

A rank is a generator: `received = yield chunk` sends `chunk` to the right neighbour and waits for what the left
neighbour sent in the same step. What decides (which chunk goes when) is thus free of sockets and threads; the same
program is checked over every world size in milliseconds and then moves bytes between processes.

Source of the algorithm and its cost, 2(n-1) steps and 2(n-1)/n of the data per rank: Patarasuk and Yuan 2009,
"Bandwidth optimal all-reduce algorithms for clusters of workstations".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Program = Callable[[int, int, "np.ndarray"], "Generator[np.ndarray, np.ndarray, np.ndarray]"]


class RingError(Exception):
    """The programs of the ranks do not fit together: the message says which rank did what."""


@dataclass(frozen=True)
class RingRun:
    """What a ring did: the result of each rank, and what each rank put on the wire."""

    outputs: tuple[np.ndarray, ...]
    steps: int
    bytes_sent: tuple[int, ...]  # per rank


def ring_all_reduce(rank: int, world_size: int, values: np.ndarray) -> Generator[np.ndarray, np.ndarray, np.ndarray]:
    """Sum `values` (one dimension, any length) over all ranks: reduce-scatter, then all-gather."""
    import numpy as np

    chunks = [chunk.copy() for chunk in np.array_split(values, world_size)]
    for step in range(world_size - 1):  # after it, rank r holds the complete sum of chunk r + 1
        received = yield chunks[(rank - step) % world_size]
        chunks[(rank - step - 1) % world_size] += received
    for step in range(world_size - 1):
        received = yield chunks[(rank + 1 - step) % world_size]
        chunks[(rank - step) % world_size] = received
    return np.concatenate(chunks)


def run_in_lockstep(program: Program, inputs: Sequence[np.ndarray]) -> RingRun:
    """Run one program per input, every rank one step at a time.

    Raises:
        RingError: some ranks finish while others still wait for a message (a deadlock on a real network), or a rank
            sends something that is not an array.
    """
    import numpy as np

    world_size = len(inputs)
    ranks = [program(rank, world_size, values) for rank, values in enumerate(inputs)]
    outputs: dict[int, np.ndarray] = {}
    bytes_sent = [0] * world_size
    steps = 0
    inbox: list[Any] = [None] * world_size  # a generator is started by sending it None
    while len(outputs) < world_size:
        sent: dict[int, np.ndarray] = {}
        for rank, generator in enumerate(ranks):
            if rank in outputs:
                continue
            try:
                message = generator.send(inbox[rank])
            except StopIteration as stop:
                outputs[rank] = stop.value
                continue
            if not isinstance(message, np.ndarray):
                raise RingError(
                    f"rank {rank} of {world_size} sent {type(message).__name__} in step {steps}, not an array"
                )
            sent[rank] = message.copy()  # a network does not share memory: later writes must not reach the receiver
            bytes_sent[rank] += message.nbytes
        if sent and outputs:
            raise RingError(
                f"after {steps} steps rank {min(outputs)} of {world_size} has finished and rank {min(sent)} still sends"
            )
        inbox = [sent.get((rank - 1) % world_size) for rank in range(world_size)]
        steps += bool(sent)
    return RingRun(tuple(outputs[rank] for rank in range(world_size)), steps, tuple(bytes_sent))


def run_on_actors(program: Program, inputs: Sequence[np.ndarray]) -> RingRun:
    """Run one program per input, each rank in a Ray actor of its own; Ray must have been started.

    The driver only wires references: what rank r returned in one step is the argument of rank r + 1 in the next, so
    the arrays go from process to process through the object store and never through the driver.
    """
    import ray

    world_size = len(inputs)
    rank_actor = ray.remote(num_cpus=0)(_Rank)
    actors = [rank_actor.remote(program, rank, world_size, values) for rank, values in enumerate(inputs)]
    steps = 2 * (world_size - 1)
    messages = [actor.advance.remote(None) for actor in actors]
    for _ in range(steps):
        messages = [actor.advance.remote(messages[rank - 1]) for rank, actor in enumerate(actors)]
    results = ray.get([actor.result.remote() for actor in actors])
    for actor in actors:
        ray.kill(actor)
    return RingRun(tuple(output for output, _ in results), steps, tuple(sent for _, sent in results))


class _Rank:
    """One rank of the ring inside its own process."""

    def __init__(self, program: Program, rank: int, world_size: int, values: np.ndarray) -> None:
        self._generator = program(rank, world_size, values)
        self._bytes_sent = 0
        self._output: np.ndarray | None = None

    def advance(self, received: np.ndarray | None) -> np.ndarray | None:
        """Take what the left neighbour sent and return what goes to the right one."""
        try:
            message = self._generator.send(received)  # type: ignore[arg-type]
        except StopIteration as stop:
            self._output = stop.value
            return None
        self._bytes_sent += message.nbytes
        return message

    def result(self) -> tuple[np.ndarray | None, int]:
        return self._output, self._bytes_sent


def average_gradients(gradients: Sequence[np.ndarray], counts: Sequence[int]) -> np.ndarray:
    """Combine mean gradients of several workers into the mean gradient over all their samples.

    gradients[r] is the mean over counts[r] samples (or tokens); a worker with count 0 adds nothing, whatever its
    gradient holds. The result is sum(counts[r] * gradients[r]) / sum(counts).

    Raises:
        ValueError: no sample at all, or as many counts as gradients are not given.
    """
    import numpy as np

    if len(gradients) != len(counts):
        raise ValueError(f"{len(gradients)} gradients and {len(counts)} counts")
    if sum(counts) <= 0:
        raise ValueError("no samples: the mean is not defined")
    # Not count * gradient for count 0: an empty mean is NaN, and 0 * NaN is NaN.
    weighted = [np.multiply(gradient, count) for gradient, count in zip(gradients, counts, strict=True) if count]
    return np.sum(weighted, axis=0) / sum(counts)
