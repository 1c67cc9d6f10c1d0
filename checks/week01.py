"""Week 1: what each exercise must satisfy, and known wrong answers that must be rejected for their reason."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labsupport.course.grading.exercise import Exercise
from labsupport.course.grading.judging import shared
from labsupport.course.grading.rank_processes import RankError, rank_processes
from labsupport.course.grading.seeds import seeds
from labsupport.course.grading.verdict import Criterion, Wrong
from labsupport.training.collectives import RingError, RingRun, average_gradients, ring_all_reduce, run_in_lockstep
from labsupport.training.learning_rate import learning_rate
from labsupport.training.sampler import shard

WORLDS = range(1, 9)

# --- 1.1: which process does what ------------------------------------------------------------------------------------


def _says(process: str, letter: str) -> Callable[[Any], bool]:
    return lambda given: str(given[process]).strip().upper() == letter


_RIGHT = {"gcs_server": "A", "raylet": "B", "worker": "C", "driver": "D", "dashboard": "E"}
_KEYS = ", ".join(_RIGHT)

blast_radius = Exercise(
    "1.1", "What does each death cost?", 10,
    criteria=(
        Criterion("directory", "the process that keeps the directory of actors and nodes is named",
                  _says("gcs_server", "A"), hint=f"the keys are {_KEYS}; which one did the driver connect to first?"),
        Criterion("node", "the process that takes a node's objects with it is named",
                  _says("raylet", "B"), hint="the object store is not its own process: look at raylet's arguments"),
        Criterion("worker", "the cheapest death is named",
                  _says("worker", "C"), hint="what does max_restarts or max_failures bring back?"),
        Criterion("driver", "the death that no restart policy covers is named",
                  _says("driver", "D"), hint="actors and objects have an owner; who owns yours?"),
        Criterion("dashboard", "the death that no job notices is named",
                  _says("dashboard", "E"), hint="you killed it in the cell above"),
    ),
    reference=_RIGHT,
    wrong=(
        Wrong("takes the raylet for the directory", _RIGHT | {"gcs_server": "B", "raylet": "A"}, "directory"),
        Wrong("thinks objects outlive the raylet", _RIGHT | {"raylet": "C"}, "node"),
        Wrong("fears for the job when a worker dies", _RIGHT | {"worker": "D", "driver": "C"}, "worker"),
        Wrong("thinks actors outlive their driver", _RIGHT | {"driver": "C"}, "driver"),
        Wrong("thinks the dashboard schedules", _RIGHT | {"dashboard": "A"}, "dashboard"),
        Wrong("leaves a process out", {"gcs_server": "A", "raylet": "B", "worker": "C", "driver": "D"}, "dashboard"),
    ),
)  # fmt: skip

# --- 1.2: a sampler --------------------------------------------------------------------------------------------------


def _deal(answer: Any, num_samples: int, world_size: int, **kwargs: int) -> list[list[int]]:
    return [[int(i) for i in answer(num_samples, world_size, rank, **kwargs)] for rank in range(world_size)]


def _in_turn(shares: Sequence[Sequence[int]]) -> list[int]:
    """Take one sample from each worker in turn, skipping those that have run out."""
    longest = max((len(share) for share in shares), default=0)
    return [share[i] for i in range(longest) for share in shares if i < len(share)]


def _cases() -> list[tuple[int, int, int, int]]:
    """Samples, epoch, seed and a start position, from the seeds to grade on; small and awkward sizes first."""
    cases = [(7, 0, 0, 3), (1, 0, 1, 1), (16, 3, 2, 16)]
    for seed in seeds(8):
        draw = np.random.default_rng(seed)
        num_samples = int(draw.integers(2, 120))
        cases.append((num_samples, int(draw.integers(0, 9)), seed % 997, int(draw.integers(0, num_samples + 1))))
    return cases


def _all_dealt_once(answer: Any) -> bool:
    return all(
        sorted(i for share in _deal(answer, n, world_size, epoch=epoch, seed=seed) for i in share) == list(range(n))
        for n, epoch, seed, _ in _cases() for world_size in WORLDS
    )  # fmt: skip


def _balanced(answer: Any) -> bool:
    for n, epoch, seed, start in _cases():
        for world_size in WORLDS:
            sizes = [len(share) for share in _deal(answer, n, world_size, epoch=epoch, seed=seed, start=start)]
            if max(sizes) - min(sizes) > 1:
                return False
    return True


def _same_order(answer: Any) -> bool:
    return all(
        len({tuple(_in_turn(_deal(answer, n, world_size, epoch=epoch, seed=seed))) for world_size in WORLDS}) == 1
        for n, epoch, seed, _ in _cases()
    )


def _shuffled(answer: Any) -> bool:
    orders = [tuple(_in_turn(_deal(answer, 64, 2, epoch=epoch, seed=seed))) for epoch in range(4) for seed in range(4)]
    return len(set(orders)) == len(orders) and tuple(range(64)) not in orders


def _resumes(answer: Any) -> bool:
    for n, epoch, seed, start in _cases():
        whole = _in_turn(_deal(answer, n, 1, epoch=epoch, seed=seed))
        for world_size in WORLDS:
            rest = _deal(answer, n, world_size, epoch=epoch, seed=seed, start=start)
            if _in_turn(rest) != whole[start:]:
                return False
    return True


def _leaves_generators_alone(answer: Any) -> bool:
    import torch

    def state() -> tuple[Any, ...]:
        numpy_state: Any = np.random.get_state()
        return random.getstate(), numpy_state[1].tolist(), numpy_state[2], torch.get_rng_state().tolist()

    before = state()
    first = _deal(answer, 32, 4, epoch=1, seed=5)
    return first == _deal(answer, 32, 4, epoch=1, seed=5) and state() == before


def _order(num_samples: int, epoch: int, seed: int) -> list[int]:
    return [int(i) for i in np.random.default_rng([seed, epoch]).permutation(num_samples)]


def _blocks(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    return [
        int(i) for i in np.array_split(np.array(_order(num_samples, epoch, seed)[start:], dtype=int), world_size)[rank]
    ]


def _own_shuffle(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    return _order(num_samples, epoch, seed + rank)[start:][rank::world_size]


def _padded(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    order = _order(num_samples, epoch, seed)[start:]
    return (order + order[: -len(order) % world_size])[rank::world_size]


def _tail_dropped(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    order = _order(num_samples, epoch, seed)[start:]
    return order[: len(order) // world_size * world_size][rank::world_size]


def _epoch_forgotten(
    num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0
) -> list[int]:
    return _order(num_samples, 0, seed)[start:][rank::world_size]


def _start_of_share(
    num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0
) -> list[int]:
    return _order(num_samples, epoch, seed)[rank::world_size][start // world_size :]


def _global_generator(
    num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0
) -> list[int]:
    np.random.seed([seed, epoch])
    return [int(i) for i in np.random.permutation(num_samples)][start:][rank::world_size]


def _one_does_all(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    return _order(num_samples, epoch, seed)[start:] if rank == 0 else []


sampler = Exercise(
    "1.2", "A sampler that survives", 25,
    criteria=(
        Criterion("covers", "every sample is dealt exactly once, for 1 to 8 workers and sizes that do not divide",
                  _all_dealt_once, hint="padding repeats samples, a dropped tail loses them; shares may differ by one"),
        Criterion("balanced", "the workers' shares differ by at most one sample",
                  _balanced, hint="len(share) for every rank, also when start > 0"),
        Criterion("same-order", "one sample from each worker in turn gives the same order for every number of workers",
                  _same_order, hint="one permutation for all; a rank only chooses positions in it"),
        Criterion("shuffled", "another epoch or another seed gives another order",
                  _shuffled, hint="both must reach the random generator"),
        Criterion("resumes", "from position `start` on the rest of the same order is dealt, to any number of workers",
                  _resumes, hint="`start` counts samples of the global order, not of a rank's share"),
        Criterion("own-generator", "two calls agree and no global random generator is touched",
                  _leaves_generators_alone, hint="a draw from the global generator moves every later dropout mask"),
    ),
    reference=shard,
    wrong=(
        Wrong("deals contiguous blocks", _blocks, "same-order"),
        Wrong("every rank shuffles for itself", _own_shuffle, "covers"),
        Wrong("pads to equal shares", _padded, "covers"),
        Wrong("drops the tail", _tail_dropped, "covers"),
        Wrong("forgets the epoch", _epoch_forgotten, "shuffled"),
        Wrong("counts start per rank", _start_of_share, "resumes"),
        Wrong("seeds the global generator", _global_generator, "own-generator"),
        Wrong("lets rank 0 do everything", _one_does_all, "balanced"),
        Wrong("returns nothing", lambda *args, **kwargs: None, "covers"),
    ),
)  # fmt: skip

# --- 1.3: ring all-reduce --------------------------------------------------------------------------------------------

RINGS = [(world_size, length) for world_size in (1, 2, 3, 4, 6) for length in (0, 1, 2, 5, 12, 17)]


@dataclass(frozen=True)
class _Ran:
    """One ring: what went in, what the inputs were afterwards, and what the ranks did."""

    world_size: int
    inputs: list[np.ndarray]
    afterwards: list[np.ndarray]
    run: RingRun

    @property
    def length(self) -> int:
        return len(self.inputs[0])


@shared
def _rings(answer: Any) -> dict[tuple[int, int, str], _Ran | Exception]:
    """Run every ring once, each rank in a process of its own; an error is kept for the criteria that ask for it."""
    rings = [(*ring, "float64") for ring in RINGS] + [(world_size, 64, "float32") for world_size in (3, 4, 6)]
    ran: dict[tuple[int, int, str], _Ran | Exception] = {}
    with rank_processes(answer, max(world_size for world_size, _ in RINGS)) as program:
        for world_size, length, dtype in rings:
            draw = np.random.default_rng([world_size, length, *seeds(1)])
            inputs = [draw.standard_normal(length).astype(dtype) for _ in range(world_size)]
            afterwards = [values.copy() for values in inputs]
            try:
                run = run_in_lockstep(program, afterwards)
                ran[world_size, length, dtype] = _Ran(world_size, inputs, afterwards, run)
            except (RankError, RingError, NotImplementedError) as error:  # the last is a stub's
                ran[world_size, length, dtype] = error
    return ran


def _ran(answer: Any, dtype: str) -> Iterator[_Ran]:
    for ring, ran in _rings(answer).items():
        if isinstance(ran, Exception):
            raise ran
        if ring[-1] == dtype:
            yield ran


def _sums(answer: Any) -> bool:
    return all(
        output.shape == (ran.length,) and np.allclose(output, sum(ran.inputs))
        for ran in _ran(answer, "float64") for output in ran.run.outputs
    )  # fmt: skip


def _same_bits(answer: Any) -> bool:
    # In single precision the order of a sum shows in the last bits.
    return all(len({output.tobytes() for output in ran.run.outputs}) == 1 for ran in _ran(answer, "float32"))


def _steps(answer: Any) -> bool:
    return all(ran.run.steps == 2 * (ran.world_size - 1) for ran in _ran(answer, "float64"))


def _bytes(answer: Any) -> bool:
    return all(
        max(ran.run.bytes_sent) <= 2 * (ran.world_size - 1) * math.ceil(ran.length / ran.world_size) * 8
        for ran in _ran(answer, "float64")
    )


def _input_kept(answer: Any) -> bool:
    return all(
        np.array_equal(now, before)
        for ran in _ran(answer, "float64") for now, before in zip(ran.afterwards, ran.inputs, strict=True)
    )  # fmt: skip


Ring = Generator[np.ndarray, np.ndarray, np.ndarray]


def _pass_everything_round(rank: int, world_size: int, values: np.ndarray) -> Ring:
    total, travelling = values.copy(), values
    for _ in range(world_size - 1):
        travelling = yield travelling
        total = total + travelling
    return total


def _reduce_scatter_only(rank: int, world_size: int, values: np.ndarray) -> Ring:
    chunks = [chunk.copy() for chunk in np.array_split(values, world_size)]
    for step in range(world_size - 1):
        received = yield chunks[(rank - step) % world_size]
        chunks[(rank - step - 1) % world_size] += received
    return np.concatenate(chunks)


def _equal_chunks(rank: int, world_size: int, values: np.ndarray) -> Ring:
    size = len(values) // world_size
    result = yield from ring_all_reduce(rank, world_size, values[: size * world_size])
    return result


def _on_views(rank: int, world_size: int, values: np.ndarray) -> Ring:
    chunks = np.array_split(values, world_size)
    for step in range(world_size - 1):
        received = yield chunks[(rank - step) % world_size]
        chunks[(rank - step - 1) % world_size] += received
    for step in range(world_size - 1):
        received = yield chunks[(rank + 1 - step) % world_size]
        chunks[(rank - step) % world_size][:] = received
    return np.concatenate(chunks)


def _whole_array_each_step(rank: int, world_size: int, values: np.ndarray) -> Ring:
    whole = values.copy()
    edges = np.cumsum([0, *(len(chunk) for chunk in np.array_split(values, world_size))])
    part = [slice(edges[i], edges[i + 1]) for i in range(world_size)]
    for step in range(world_size - 1):
        received = yield whole
        mine = part[(rank - step - 1) % world_size]
        whole[mine] += received[mine]
    for step in range(world_size - 1):
        received = yield whole
        mine = part[(rank - step) % world_size]
        whole[mine] = received[mine]
    return whole


def _one_step_too_many(rank: int, world_size: int, values: np.ndarray) -> Ring:
    result = yield from ring_all_reduce(rank, world_size, values)
    yield result[:0]
    return result


ring = Exercise(
    "1.3", "Ring all-reduce", 35,
    criteria=(
        Criterion("sum", "every rank ends with the sum, for 1 to 6 ranks and lengths from 0 to 17",
                  _sums, hint="np.array_split copes with such lengths; reduce-scatter alone is half the way"),
        Criterion("same-bits", "all ranks hold the same bits",
                  _same_bits, hint="each chunk must be summed in one place and copied, or the replicas drift apart"),
        Criterion("steps", "it takes 2(n - 1) steps for n ranks",
                  _steps, hint="one `received = yield chunk` per step, and none for a single rank"),
        Criterion("bytes", "no rank sends more than 2(n - 1) chunks of ceil(length / n) values",
                  _bytes, hint="send the chunk of the step, not the array"),
        Criterion("input-kept", "the array passed in is left as it was",
                  _input_kept, hint="np.array_split returns views"),
    ),
    reference=ring_all_reduce,
    wrong=(
        Wrong("passes whole arrays round once", _pass_everything_round, "same-bits"),
        Wrong("stops after reduce-scatter", _reduce_scatter_only, "sum"),
        Wrong("cuts equal chunks", _equal_chunks, "sum"),
        Wrong("works on views of the input", _on_views, "input-kept"),
        Wrong("sends the whole array each step", _whole_array_each_step, "bytes"),
        Wrong("one more step than needed", _one_step_too_many, "steps"),
        Wrong("is not a generator", lambda rank, world_size, values: values * world_size, "sum"),
    ),
)  # fmt: skip

# --- 1.4: gradients of unequal shares --------------------------------------------------------------------------------


def _least_squares() -> list[tuple[np.ndarray, list[np.ndarray], list[int]]]:
    """The gradient of one big batch, and the same samples as mean gradients of unequal shares."""
    cases = []
    for seed in seeds(8):
        draw = np.random.default_rng(seed)
        counts = [int(c) for c in draw.integers(1, 9, size=int(draw.integers(1, 6)))]
        inputs, targets, weights = (
            draw.normal(size=(sum(counts), 3)),
            draw.normal(size=sum(counts)),
            draw.normal(size=3),
        )
        per_sample = inputs * (inputs @ weights - targets)[:, None]
        shares = np.split(per_sample, np.cumsum(counts)[:-1])
        cases.append((per_sample.mean(axis=0), [share.mean(axis=0) for share in shares], counts))
    return cases


def _equals_big_batch(answer: Any) -> bool:
    return all(np.allclose(answer(gradients, counts), big, atol=1e-12) for big, gradients, counts in _least_squares())


def _empty_worker(answer: Any) -> bool:
    gradients = [np.array([1.0, 2.0]), np.array([np.nan, np.nan]), np.array([4.0, 8.0])]
    return np.allclose(answer(gradients, [2, 0, 1]), [2.0, 4.0])


def _no_samples(answer: Any) -> bool:
    try:
        answer([np.zeros(2), np.zeros(2)], [0, 0])
    except ValueError:
        return True
    return False


def _gradients_kept(answer: Any) -> bool:
    gradients = [np.ones(2), np.full(2, 3.0)]
    answer(gradients, [1, 3])
    return bool(np.all(gradients[0] == 1) and np.all(gradients[1] == 3))


def _mean_of_means(gradients: Sequence[np.ndarray], counts: Sequence[int]) -> np.ndarray:
    if sum(counts) == 0:
        raise ValueError("no samples")
    return np.mean([g for g, c in zip(gradients, counts, strict=True) if c], axis=0)


def _sum_of_gradients(gradients: Sequence[np.ndarray], counts: Sequence[int]) -> np.ndarray:
    if sum(counts) == 0:
        raise ValueError("no samples")
    return np.sum([g * c for g, c in zip(gradients, counts, strict=True) if c], axis=0)


def _nan_let_in(gradients: Sequence[np.ndarray], counts: Sequence[int]) -> np.ndarray:
    if sum(counts) == 0:
        raise ValueError("no samples")
    return np.sum([g * c for g, c in zip(gradients, counts, strict=True)], axis=0) / sum(counts)


def _zeros_for_nothing(gradients: Sequence[np.ndarray], counts: Sequence[int]) -> np.ndarray:
    kept = [g * c for g, c in zip(gradients, counts, strict=True) if c]
    return np.sum(kept, axis=0) / max(1, sum(counts))


def _in_place(gradients: Sequence[np.ndarray], counts: Sequence[int]) -> np.ndarray:
    if sum(counts) == 0:
        raise ValueError("no samples")
    for gradient, count in zip(gradients, counts, strict=True):
        gradient *= count
    return np.sum([g for g, c in zip(gradients, counts, strict=True) if c], axis=0) / sum(counts)


averaging = Exercise(
    "1.4", "The gradient of the big batch", 15,
    criteria=(
        Criterion("big-batch", "unequal shares give the gradient of the one big batch",
                  _equals_big_batch, hint="a mean of means is the mean only for equal shares"),
        Criterion("empty-worker", "a worker without samples changes nothing, even if its gradient is NaN",
                  _empty_worker, hint="0 * nan is nan"),
        Criterion("no-samples", "no samples at all raises ValueError",
                  _no_samples, hint="a silent 0/0 becomes NaN weights one step later"),
        Criterion("input-kept", "the gradients passed in are left as they were",
                  _gradients_kept, hint="*= writes into the caller's buffer"),
    ),
    reference=average_gradients,
    wrong=(
        Wrong("takes the mean of the means", _mean_of_means, "big-batch"),
        Wrong("forgets to divide", _sum_of_gradients, "big-batch"),
        Wrong("multiplies NaN by zero", _nan_let_in, "empty-worker"),
        Wrong("returns zeros for no samples", _zeros_for_nothing, "no-samples"),
        Wrong("scales the caller's buffers", _in_place, "input-kept"),
    ),
)  # fmt: skip

# --- 1.5: the learning rate ------------------------------------------------------------------------------------------

RUN: dict[str, Any] = {"base_lr": 0.1, "base_batch": 64, "global_batch": 512, "warmup_steps": 10, "total_steps": 110}


def _close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)


def _runs() -> list[dict[str, Any]]:
    """One run with round numbers, and one for each seed to grade on: batches larger and smaller than the base."""
    runs = [RUN, RUN | {"global_batch": 32}]
    for seed in seeds(8):
        draw = random.Random(seed)
        warmup = draw.randint(2, 40)
        runs.append({
            "base_lr": draw.uniform(1e-3, 0.5), "base_batch": draw.randint(8, 256),
            "global_batch": draw.randint(8, 4096),
            "warmup_steps": warmup, "total_steps": warmup + draw.randint(10, 400),
        })  # fmt: skip
    return runs


def _peak_of(run: dict[str, Any]) -> float:
    return float(run["base_lr"] * run["global_batch"] / run["base_batch"])


def _peaks(answer: Any) -> bool:
    return all(_close(answer(run["warmup_steps"], **run), _peak_of(run)) for run in _runs())


def _warms_up(answer: Any) -> bool:
    for run in _runs():
        base, peak, warmup = run["base_lr"], _peak_of(run), run["warmup_steps"]
        if not all(_close(answer(s, **run), base + (peak - base) * s / warmup) for s in {0, warmup // 2, warmup - 1}):
            return False
    return True


def _falls_as_a_cosine(answer: Any) -> bool:
    for run in _runs():
        warmup, total = run["warmup_steps"], run["total_steps"]
        for step in (warmup + (total - warmup) // 4, warmup + (total - warmup) // 2, total):
            turned = math.pi * (step - warmup) / (total - warmup)
            if not _close(answer(step, **run), _peak_of(run) / 2 * (1 + math.cos(turned))):
                return False
    return True


def _without_warm_up(answer: Any) -> bool:
    return all(_close(answer(0, **run | {"warmup_steps": 0}), _peak_of(run)) for run in _runs())


def _ends_at_zero(answer: Any) -> bool:
    return all(abs(answer(run["total_steps"] + later, **run)) < 1e-12 for run in _runs() for later in (1, 290))


def _variant(change: Callable[..., float]) -> Callable[..., float]:
    """A wrong schedule: `change` gets the step and all sizes."""
    return lambda step, **sizes: change(step, **sizes)


def _square_root(step: int, **sizes: Any) -> float:
    ratio = sizes["global_batch"] / sizes["base_batch"]
    return learning_rate(step, **sizes) / ratio * math.sqrt(ratio)


def _from_zero(step: int, **sizes: Any) -> float:
    warmup = sizes["warmup_steps"]
    peak = learning_rate(warmup, **sizes)
    return peak * step / warmup if step < warmup else learning_rate(step, **sizes)


def _linear_decay(step: int, **sizes: Any) -> float:
    warmup, total = sizes["warmup_steps"], sizes["total_steps"]
    if step < warmup:
        return learning_rate(step, **sizes)
    return learning_rate(warmup, **sizes) * max(0.0, 1 - (step - warmup) / (total - warmup))


def _whole_cosine(step: int, **sizes: Any) -> float:
    if step < sizes["warmup_steps"]:
        return learning_rate(step, **sizes)
    peak = learning_rate(sizes["warmup_steps"], **sizes)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, step / sizes["total_steps"])))


def _divides_by_warmup(step: int, **sizes: Any) -> float:
    base, warmup = sizes["base_lr"], sizes["warmup_steps"]
    peak = base * sizes["global_batch"] / sizes["base_batch"]
    warm = base + (peak - base) * step / warmup
    return warm if step < warmup else learning_rate(step, **sizes)


def _rises_again(step: int, **sizes: Any) -> float:
    if step < sizes["warmup_steps"]:
        return learning_rate(step, **sizes)
    progress = (step - sizes["warmup_steps"]) / (sizes["total_steps"] - sizes["warmup_steps"])
    peak = sizes["base_lr"] * sizes["global_batch"] / sizes["base_batch"]
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


schedule = Exercise(
    "1.5", "The schedule", 15,
    criteria=(
        Criterion("peak", "the rate peaks at base_lr * global_batch / base_batch when the warm-up ends",
                  _peaks, hint="the linear scaling rule; a smaller batch scales it down"),
        Criterion("warm-up", "it starts at base_lr and rises in equal parts to the peak",
                  _warms_up, hint="from the rate that is known to work, not from zero"),
        Criterion("cosine", "then half a cosine falls to 0 at total_steps",
                  _falls_as_a_cosine, hint="progress is measured from the end of the warm-up"),
        Criterion("no-warm-up", "without warm-up the first step has the peak rate",
                  _without_warm_up, hint="look at the division"),
        Criterion("past-end", "a step past the end has rate 0",
                  _ends_at_zero, hint="a cosine rises again"),
    ),
    reference=learning_rate,
    wrong=(
        Wrong("scales with the square root", _variant(_square_root), "peak"),
        Wrong("warms up from zero", _variant(_from_zero), "warm-up"),
        Wrong("decays in a straight line", _variant(_linear_decay), "cosine"),
        Wrong("measures the cosine from step 0", _variant(_whole_cosine), "cosine"),
        Wrong("divides by a warm-up of zero", _variant(_divides_by_warmup), "no-warm-up"),
        Wrong("lets the cosine rise again", _variant(_rises_again), "past-end"),
    ),
)  # fmt: skip


EXERCISES = (blast_radius, sampler, ring, averaging, schedule)
