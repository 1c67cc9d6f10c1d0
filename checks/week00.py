"""Week 0: what each exercise must satisfy, and known wrong answers that must be rejected for their reason."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from statistics import fmean
from typing import Any

from labsupport.course.grading.exercise import Exercise
from labsupport.course.grading.seeds import seeds
from labsupport.course.grading.verdict import Criterion, Wrong
from labsupport.introduction import overruns
from labsupport.introduction.vendor_report import Report, Truth, report
from labsupport.receipts import physics

Line = Mapping[str, Any]  # the quantities that one line states
Cases = Iterator[tuple[Line, float]]  # a line, and by how much it overruns: known because it was written so
Holds = Callable[[Any], bool]
Rule = overruns.Rule

# --- 0.1: what one command creates -----------------------------------------------------------------------------------


def _counts(**facts: int) -> Holds:
    return lambda given: all(given[name] == value for name, value in facts.items())


def _names(key: str, letters: str) -> Holds:
    return lambda given: {str(letter).strip().upper() for letter in given[key]} == set(letters)


_FACTS: dict[str, Any] = {
    "gpus_at_start": 2, "gpus_at_most": 4, "tensor_parallel": 1, "gpus_for_7b": 7,
    "aged": "BE", "still_billed": "UVWXY",
}  # fmt: skip


cluster = Exercise(
    "0.1", "What would this create?", 10,
    criteria=(
        Criterion("gpus", "the GPUs at the start and at the most are counted",
                  _counts(gpus_at_start=2, gpus_at_most=4), hint="nodes times the GPUs of one p3.2xlarge"),
        Criterion("tensor-parallel", "the largest tensor-parallel degree that stays inside one node is named",
                  _counts(tensor_parallel=1), hint="a tensor-parallel group exchanges activations in every layer"),
        Criterion("state", "the number of these GPUs that hold the training state of 7 billion parameters is right",
                  _counts(gpus_for_7b=7), hint="16 bytes per parameter, 16 GiB per GPU, whole GPUs"),
        Criterion("aged", "the two flags whose values have aged out are named",
                  _names("aged", "BE"), hint="one is past its end of support, the other past its architecture's"),
        Criterion("billed", "everything that is still billed with all replicas at zero is named",
                  _names("still_billed", "UVWXY"), hint="replicas are pods; who pays for what they ran on?"),
    ),
    reference=_FACTS,
    wrong=(
        Wrong("counts eight GPUs per node", _FACTS | {"gpus_at_start": 16, "gpus_at_most": 32}, "gpus"),
        Wrong("takes the maximum for the start", _FACTS | {"gpus_at_start": 4}, "gpus"),
        Wrong("splits over both nodes", _FACTS | {"tensor_parallel": 2}, "tensor-parallel"),
        Wrong("counts the weights only", _FACTS | {"gpus_for_7b": 1}, "state"),
        Wrong("rounds a GPU down", _FACTS | {"gpus_for_7b": 6}, "state"),
        Wrong("thinks the region has aged", _FACTS | {"aged": "BC"}, "aged"),
        Wrong("thinks that no pods cost nothing", _FACTS | {"still_billed": ""}, "billed"),
        Wrong("forgets what the cluster made on the side", _FACTS | {"still_billed": "UV"}, "billed"),
        Wrong("pays for pods as well", _FACTS | {"still_billed": "UVWXYZ"}, "billed"),
    ),
)  # fmt: skip

# --- overruns --------------------------------------------------------------------------------------------------------

AGREE = 2e-3  # relative: the exact rule of three is 2.9957, and 3 is what everybody writes


def _gives(cases: Callable[[random.Random], Cases]) -> Holds:
    """Return a criterion: for the lines of every seed the answer returns the overrun that was planted."""

    def holds(answer: Any) -> bool:
        return all(
            _agrees(answer(dict(line)), overrun) for seed in seeds(12) for line, overrun in cases(random.Random(seed))
        )

    return holds


def _agrees(given: Any, overrun: float) -> bool:
    return given is not None and math.isclose(given, overrun, rel_tol=AGREE)


def _is_none_for(*lines: Line) -> Holds:
    return lambda answer: all(answer(dict(line)) is None for line in lines)


def _factor(draw: random.Random) -> float:
    return draw.uniform(1.1, 4)


def _ratio(draw: random.Random) -> float:
    """Return a ratio to a bound, below and above 1."""
    return math.exp(draw.uniform(-1.2, 1.2))


def _with(rule: Rule, **changes: Callable[[Any], Any]) -> Rule:
    """Return the rule of somebody who reads some quantities differently."""
    return lambda line: rule({name: changes.get(name, lambda value: value)(value) for name, value in line.items()})


def _without(rule: Rule, *names: str) -> Rule:
    """Return the rule of somebody who overlooks some quantities."""
    return lambda line: rule({name: value for name, value in line.items() if name not in names})


def _assuming(rule: Rule, **defaults: float) -> Rule:
    """Return the rule of somebody who takes another value for what a line does not state."""
    return lambda line: rule({**defaults, **line})


def _content_with(rule: Rule, *names: str) -> Rule:
    """Return the rule of somebody who returns the overrun of these quantities and looks no further."""

    def wrong(line: Line) -> float | None:
        first = rule({name: line[name] for name in names if name in line})
        return rule(line) if first is None else first

    return wrong


def _never_silent(rule: Rule) -> Rule:
    return lambda line: rule(line) or 0.0


def _less(count: float) -> float:
    return count - 1


def _more(count: float) -> float:
    return count + 1


# --- 0.2: training ---------------------------------------------------------------------------------------------------


def _above_the_peak(draw: random.Random) -> Cases:
    ratio, parameters, peak = _ratio(draw), draw.uniform(1e9, 9e10), draw.uniform(1e14, 2e15)
    tokens_per_s = ratio * peak / (6 * parameters)
    yield {"tokens_per_s_per_gpu": tokens_per_s, "parameters": parameters, "peak_flops_per_s": peak, "gpus": 64}, ratio


def _printed_mfu(draw: random.Random) -> Cases:
    mfu, parameters, peak = draw.uniform(0.2, 0.45), draw.uniform(1e9, 9e10), draw.uniform(1e14, 2e15)
    for off in (1.0, factor := draw.uniform(1.1, 2), 1 / factor):
        line = {"tokens_per_s_per_gpu": mfu * peak / (6 * parameters), "parameters": parameters, "mfu": mfu * off}
        yield line | {"peak_flops_per_s": peak}, max(off, 1 / off)


def _step(draw: random.Random) -> Cases:
    batch, sequence, step_s = draw.randint(8, 2048), draw.choice((1024, 4096)), draw.uniform(0.2, 9)
    for off in (1.0, factor := _factor(draw), 1 / factor):
        line = {"global_batch": batch, "sequence_length": sequence, "step_s": step_s}
        yield line | {"tokens_per_s": batch * sequence / step_s * off}, max(off, 1 / off)


def _job(draw: random.Random) -> Cases:
    gpus, per_gpu = draw.randint(2, 512), draw.uniform(200, 9000)
    for off in (1.0, factor := _factor(draw), 1 / factor):
        line = {"gpus": gpus, "tokens_per_s_per_gpu": per_gpu, "tokens_per_s": gpus * per_gpu * off}
        yield line, max(off, 1 / off)


def _training_together(draw: random.Random) -> Cases:
    tokens_per_s, gpus, batch = draw.uniform(1e5, 1e6), draw.randint(8, 64), draw.randint(64, 512)
    ratios = [1.2, 2.0, 3.5]
    draw.shuffle(ratios)
    step, job, mfu = ratios
    per_gpu, parameters = tokens_per_s * job / gpus, draw.uniform(1e9, 9e10)
    yield {
        "tokens_per_s": tokens_per_s, "gpus": gpus, "tokens_per_s_per_gpu": per_gpu, "parameters": parameters,
        "global_batch": batch, "sequence_length": 2048, "step_s": batch * 2048 / tokens_per_s * step,
        "peak_flops_per_s": per_gpu * 6 * parameters / mfu,
    }, 3.5  # fmt: skip


_STEP = ("tokens_per_s", "global_batch", "sequence_length", "step_s")


def _peak_of_the_job(line: Line) -> float | None:
    peak = line.get("peak_flops_per_s", 1) / line.get("gpus", 1)
    return overruns.training({**line, "peak_flops_per_s": peak})


def _one_sided(name: str) -> Rule:
    """Return the rule of somebody who refuses a printed number only where it is too large."""

    def wrong(line: Line) -> float | None:
        overrun = overruns.training(line)
        larger = overruns.training({**line, name: line[name] * 1.001}) if name in line else None
        return 1.0 if overrun and larger and larger < overrun else overrun

    return wrong


def _expects_everything(line: Line) -> float:
    return float(line["tokens_per_s_per_gpu"] * 6 * line["parameters"] / line["peak_flops_per_s"])


training = Exercise(
    "0.2", "Throughput", 15,
    criteria=(
        Criterion("peak", "tokens/s per GPU times 6 P give their ratio to the peak of one GPU, also below 1",
                  _gives(_above_the_peak), hint="the rate is per GPU and so is the peak: leave gpus out"),
        Criterion("printed-mfu", "a printed MFU gives the factor to the recomputed one, in either direction",
                  _gives(_printed_mfu), hint="too small is as impossible as too large; equal is 1"),
        Criterion("step", "tokens/s give the factor to batch times sequence over step time, in either direction",
                  _gives(_step), hint="what a step processes, divided by how long it takes"),
        Criterion("job", "tokens/s give the factor to tokens/s per GPU times GPUs, in either direction",
                  _gives(_job), hint="the rate of the job is the sum over its GPUs"),
        Criterion("largest", "a line that states several relations gives the largest overrun",
                  _gives(_training_together), hint="collect them all before you return"),
        Criterion("silent", "a line that states none of them completely gives None",
                  _is_none_for({}, {"p50_ms": 3.0, "samples": 100}, {"gpus": 8, "tokens_per_s": 1e5}, {"mfu": 0.4},
                               {"global_batch": 64, "step_s": 0.5}, {"parameters": 7e9, "peak_flops_per_s": 1e15}),
                  hint="not applicable is neither fine nor broken; 0 and 1 would say one of the two"),
    ),
    reference=overruns.training,
    wrong=(
        Wrong("counts the forward pass only", _with(overruns.training, parameters=lambda p: p / 3), "peak"),
        Wrong("holds one GPU against the whole job's rate", _peak_of_the_job, "peak"),
        Wrong("takes a small MFU for modesty", _one_sided("mfu"), "printed-mfu"),
        Wrong("overlooks the printed MFU", _without(overruns.training, "mfu"), "printed-mfu"),
        Wrong("accepts tokens/s that are too small", _one_sided("tokens_per_s"), "step"),
        Wrong("counts sequences for tokens", _with(overruns.training, sequence_length=lambda tokens: 1), "step"),
        Wrong("leaves one GPU out", _with(overruns.training, gpus=_less), "job"),
        Wrong("stops at the step", _content_with(overruns.training, *_STEP), "largest"),
        Wrong("calls a silent line fine", _never_silent(overruns.training), "silent"),
        Wrong("expects every line to state everything", _expects_everything, "silent"),
        Wrong("always the same number", lambda line: 1.0, "peak"),
    ),
)  # fmt: skip

# --- 0.3: memory -----------------------------------------------------------------------------------------------------


def _training_state(draw: random.Random) -> Cases:
    ratio, parameters, shards = _ratio(draw), draw.uniform(1e9, 9e10), draw.choice((1, 2, 8, 64))
    memory = 16 * parameters / shards / ratio
    yield {"parameters": parameters, "state_shards": shards, "gpu_memory_bytes": memory}, ratio


def _activations(draw: random.Random) -> Cases:
    ratio, parameters, shards = _ratio(draw), draw.uniform(1e9, 9e10), draw.choice((1, 2, 8))
    per_parameter, activations = draw.choice((6, 10, 18)), draw.uniform(0.5, 2) * parameters
    line = {"parameters": parameters, "state_shards": shards, "activation_bytes": activations}
    yield line | {"gpu_memory_bytes": (16 * parameters / shards + activations) / ratio}, ratio
    memory = (per_parameter * parameters / shards + activations) / ratio
    yield line | {"gpu_memory_bytes": memory, "state_bytes_per_parameter": per_parameter}, ratio


def _serving(draw: random.Random) -> Cases:
    ratio, weights, degree = _ratio(draw), draw.uniform(5e9, 2e11), draw.choice((1, 2, 4, 8))
    kv_bytes, tokens, share = draw.uniform(5e4, 5e5), draw.randint(10_000, 900_000), draw.uniform(0.6, 0.95)
    line = {"weight_bytes": weights, "tensor_parallel": degree}
    cache = {"kv_bytes_per_token": kv_bytes, "tokens_in_cache": tokens}
    needed = (weights + kv_bytes * tokens) / degree
    yield line | {"gpu_memory_bytes": weights / degree / ratio}, ratio
    yield line | cache | {"gpu_memory_bytes": needed / ratio}, ratio
    yield line | cache | {"gpu_memory_bytes": needed / share / ratio, "memory_utilization": share}, ratio


def _one_stream(draw: random.Random) -> Cases:
    ratio, weights, bandwidth = _ratio(draw), draw.uniform(5e9, 2e11), draw.uniform(5e11, 5e12)
    line = {"decode_batch": 1, "weight_bytes": weights, "memory_bytes_per_s": bandwidth}
    yield line | {"decode_tokens_per_s": ratio * bandwidth / weights}, ratio


def _batch(draw: random.Random) -> Cases:
    ratio, weights, bandwidth = _ratio(draw), draw.uniform(5e9, 2e11), draw.uniform(5e11, 5e12)
    batch, cache, degree = draw.choice((4, 16, 64)), draw.uniform(0.01, 0.1) * weights, draw.choice((1, 2, 8))
    ceiling = batch * degree * bandwidth / (weights + batch * cache)
    yield {
        "decode_batch": batch, "weight_bytes": weights, "memory_bytes_per_s": bandwidth, "tensor_parallel": degree,
        "kv_bytes_per_sequence": cache, "decode_tokens_per_s": ratio * ceiling,
    }, ratio  # fmt: skip


def _memory_together(draw: random.Random) -> Cases:
    for held, read in ((0.6, 1.9), (1.7, 0.8)):
        weights, bandwidth, degree = draw.uniform(5e9, 2e11), draw.uniform(5e11, 5e12), draw.choice((1, 2, 4))
        yield {
            "weight_bytes": weights, "tensor_parallel": degree, "gpu_memory_bytes": weights / degree / held,
            "decode_batch": 1, "memory_bytes_per_s": bandwidth,
            "decode_tokens_per_s": read * degree * bandwidth / weights,
        }, max(held, read)  # fmt: skip


_HELD = ("weight_bytes", "tensor_parallel", "gpu_memory_bytes")


def _shards_the_activations(line: Line) -> float | None:
    return overruns.memory({**line, "activation_bytes": line.get("activation_bytes", 0) / line.get("state_shards", 1)})


def _target_as_claim(line: Line) -> float | None:
    return overruns.memory(
        {"decode_tokens_per_s" if name.startswith("target") else name: value for name, value in line.items()}
    )


memory = Exercise(
    "0.3", "What fits, and how fast it is read", 20,
    criteria=(
        Criterion("training-state", "16 bytes per parameter, sharded, give their ratio to the memory of one GPU",
                  _gives(_training_state), hint="2 weights + 2 gradients + 4 master weights + 4 + 4 moments"),
        Criterion("activations", "activations are added after sharding; stated bytes per parameter replace the 16",
                  _gives(_activations), hint="line.get(name, default); ZeRO shards the state, not the activations"),
        Criterion("serving", "weights and cached tokens per GPU of a replica give their ratio to the usable memory",
                  _gives(_serving), hint="both are split over the replica; memory_utilization is the usable share"),
        Criterion("one-stream", "a single stream gives its ratio to bandwidth over weight bytes",
                  _gives(_one_stream), hint="every token reads all weights once"),
        Criterion("batch", "a batch reads the weights once and every sequence's cache, with the bandwidth of all GPUs",
                  _gives(_batch), hint="time of a pass = bytes read / bandwidth; a pass gives one token per sequence"),
        Criterion("largest", "a line that states memory and speed gives the larger overrun",
                  _gives(_memory_together), hint="collect them all before you return"),
        Criterion("silent", "a line that states none of them completely gives None",
                  _is_none_for({}, {"parameters": 7e9, "gpu_memory_bytes": 8e10}, {"weight_bytes": 2e10},
                               {"weight_bytes": 2e10, "memory_bytes_per_s": 2e12, "target_decode_tokens_per_s": 90.0,
                                "decode_batch": 32}, {"gpu_memory_bytes": 8e10, "tensor_parallel": 2}),
                  hint="a target does not claim that anything was measured"),
    ),
    reference=overruns.memory,
    wrong=(
        Wrong("counts the weights only", _assuming(overruns.memory, state_bytes_per_parameter=2), "training-state"),
        Wrong("forgets the master weights", _assuming(overruns.memory, state_bytes_per_parameter=12), "training-state"),
        Wrong("shards the activations too", _shards_the_activations, "activations"),
        Wrong("takes 16 bytes in any case", _without(overruns.memory, "state_bytes_per_parameter"), "activations"),
        Wrong("fills all of the memory", _without(overruns.memory, "memory_utilization"), "serving"),
        Wrong("holds a replica against one GPU", _with(overruns.memory, tensor_parallel=lambda degree: 1), "serving"),
        Wrong("takes bytes for elements", _with(overruns.memory, weight_bytes=lambda size: size / 2), "one-stream"),
        Wrong("bounds a batch like one stream", _with(overruns.memory, decode_batch=lambda batch: 1), "batch"),
        Wrong("lets a batch read no cache", _without(overruns.memory, "kv_bytes_per_sequence"), "batch"),
        Wrong("stops at what is held", _content_with(overruns.memory, *_HELD), "largest"),
        Wrong("judges a goal as a claim", _target_as_claim, "silent"),
    ),
)  # fmt: skip

# --- 0.4: services ---------------------------------------------------------------------------------------------------


def _outside_its_parts(draw: random.Random) -> Cases:
    parts, factor = tuple(draw.uniform(20, 200) for _ in range(draw.randint(2, 6))), _factor(draw)
    yield {"part_quantiles": parts, "whole_quantile": max(parts) * factor}, factor
    yield {"part_quantiles": parts, "whole_quantile": min(parts) / factor}, factor


def _mixture(answer: Any) -> bool:
    inside = []
    for seed in seeds(12):
        draw = random.Random(seed)
        parts = tuple(draw.uniform(20, 200) for _ in range(4))
        inside.append(answer({"part_quantiles": parts, "whole_quantile": draw.uniform(min(parts), max(parts))}))
    return _gives(_outside_its_parts)(answer) and all(given is not None and given <= 1 + AGREE for given in inside)


def _slowest(draw: random.Random) -> Cases:
    ratio, interval_s, threshold = _ratio(draw), draw.choice((1, 5, 10, 30)), draw.randint(1, 5)
    line = {"check_interval_s": interval_s, "failure_threshold": threshold}
    yield line | {"failover_max_s": interval_s * threshold / ratio}, ratio
    more = {"check_timeout_s": draw.uniform(1, 9), "propagation_s": draw.uniform(5, 300)}
    yield line | more | {"failover_max_s": (interval_s * threshold + sum(more.values())) / ratio}, ratio
    more["promotion_s"] = draw.uniform(2, 60)
    yield line | more | {"failover_max_s": (interval_s * threshold + sum(more.values())) / ratio}, ratio


def _fastest(draw: random.Random) -> Cases:
    ratio, interval_s, threshold = _ratio(draw), draw.choice((1, 5, 10, 30)), draw.randint(2, 5)
    line = {"check_interval_s": interval_s, "failure_threshold": threshold}
    yield line | {"failover_s": interval_s * (threshold - 1) / ratio}, ratio


def _probes(draw: random.Random) -> Cases:
    ratio, availability = _ratio(draw), draw.choice((0.99, 0.999, 0.9995, 0.9999))
    line = {"availability": availability, "probes": 3 / (1 - availability) / ratio}
    yield line, ratio
    yield line | {"failed_probes": 0}, ratio


def _never_down(answer: Any) -> bool:
    given = answer({"availability": 1.0, "probes": 1e6, "failed_probes": 0})
    return given is not None and given == math.inf


def _service_together(draw: random.Random) -> Cases:
    for quantile, probes in ((1.4, 2.5), (3.0, 1.2)):
        parts = (draw.uniform(20, 60), draw.uniform(70, 90))
        yield {
            "part_quantiles": parts, "whole_quantile": max(parts) * quantile,
            "availability": 0.999, "probes": 3000 / probes,
        }, max(quantile, probes)  # fmt: skip


_QUANTILE = ("whole_quantile", "part_quantiles")


def _divides_by_zero(line: Line) -> float | None:
    return line["probes"] / (1 - line["availability"]) * 0 if line.get("availability") == 1 else overruns.service(line)


service = Exercise(
    "0.4", "Tails, failovers and nines", 20,
    criteria=(
        Criterion("mixture", "a quantile of the whole outside those of its parts gives the factor, inside at most 1",
                  _mixture, hint="it can lie above the largest part or below the smallest"),
        Criterion("slowest", "the slowest failover gives its ratio to the claimed maximum",
                  _gives(_slowest), hint="checks, then timeout, route and promotion; what is not stated is 0 s"),
        Criterion("fastest", "the fastest detection gives its ratio to an observed failover",
                  _gives(_fastest), hint="the fault may fall just before a check: how many intervals remain?"),
        Criterion("probes", "the fault-free probes that an availability needs give their ratio to those sent",
                  _gives(_probes), hint="with no failure in n probes, 3/n is still possible at 95 %"),
        Criterion("never-down", "an availability of 1 gives infinity",
                  _never_down, hint="no number of probes shows it"),
        Criterion("largest", "a line that states several relations gives the largest overrun",
                  _gives(_service_together), hint="collect them all before you return"),
        Criterion("silent", "a line that states none of them completely gives None",
                  _is_none_for({}, {"p95_ms": 80.0, "p99_ms": 120.0}, {"availability": 0.999}, {"failover_s": 12.0},
                               {"check_interval_s": 10, "failure_threshold": 3}, {"part_quantiles": (1.0, 2.0)}),
                  hint="a failover without its checks has nothing to be held against"),
    ),
    reference=overruns.service,
    wrong=(
        Wrong("looks above only", _with(overruns.service, part_quantiles=lambda parts: (1e-9, *parts)), "mixture"),
        Wrong("compares with the mean", _with(overruns.service, part_quantiles=lambda p: (fmean(p),)), "mixture"),
        Wrong("forgets the time to live", _without(overruns.service, "propagation_s"), "slowest"),
        Wrong("spares a check in the worst case", _with(overruns.service, failure_threshold=_less), "slowest"),
        Wrong("waits a round in the best case", _with(overruns.service, failure_threshold=_more), "fastest"),
        Wrong("is content with 1/n", _with(overruns.service, probes=lambda probes: 3 * probes), "probes"),
        Wrong("divides by zero", _divides_by_zero, "never-down"),
        Wrong("stops at the quantile", _content_with(overruns.service, *_QUANTILE), "largest"),
        Wrong("calls a silent line fine", _never_silent(overruns.service), "silent"),
    ),
)  # fmt: skip

# --- 0.5: the audit --------------------------------------------------------------------------------------------------

Claims = dict[str, dict[str, Any]]


# Some kind of line may be missing from a report, a sound line of weak scaling from four in five: one in fifty gradings
# on 20 reports would see none, on 60 reports one in 100,000.
FEWEST_REPORTS = 60


@lru_cache(maxsize=1000)  # the criteria go over the same reports; those of thousands of seeds would fill the memory
def _report(seed: int) -> Report:
    return report(seed)


def _reports() -> Iterator[Report]:
    per_seed = math.ceil(FEWEST_REPORTS / len(seeds()))
    return (_report(per_seed * seed + one) for seed in seeds() for one in range(per_seed))


def _accused(answer: Any, claims: Claims) -> set[str]:
    return {str(line_id) for line_id in answer(claims)}


def _finds_all(answer: Any) -> bool:
    return all(written.ids(Truth.IMPOSSIBLE) <= _accused(answer, written.claims) for written in _reports())


def _spares(truth: Truth) -> Holds:
    return lambda answer: all(not written.ids(truth) & _accused(answer, written.claims) for written in _reports())


def _any_order(answer: Any) -> bool:
    for written in _reports():
        claims, draw = written.claims, random.Random(written.seed)
        renamed = {line_id: f"row {draw.getrandbits(40):x}" for line_id in draw.sample(sorted(claims), len(claims))}
        before = {renamed[line_id] for line_id in _accused(answer, written.claims)}
        if _accused(answer, {new: claims[old] for old, new in renamed.items()}) != before:
            return False
    return True


@contextmanager
def _rules_taken_away() -> Iterator[None]:
    """Empty the course's lint for the length of the block: what an answer still finds is its own work."""
    kept, physics.RULES = physics.RULES, ()
    try:
        yield
    finally:
        physics.RULES = kept


def _own_rules(answer: Any) -> bool:
    for written in _reports():
        before = _accused(answer, written.claims)
        with _rules_taken_away():
            if _accused(answer, written.claims) != before:
                return False
    return True


def _audit(*rules: Rule, limit: float = overruns.LIMIT) -> Callable[[Claims], set[str]]:
    return lambda claims: overruns.audit(claims, rules, limit)


def _by_the_lint(*severities: physics.Severity) -> Callable[[Claims], set[str]]:
    def answer(claims: Claims) -> set[str]:
        found = physics.lint([{"subject": line_id, **line} for line_id, line in claims.items()])
        return {finding.subject for finding in found if finding.severity in severities}

    return answer


def _looks_it_up(claims: Claims) -> set[str]:
    """Return the truth by writing the report again, from every seed in turn."""
    return next(written.ids(Truth.IMPOSSIBLE) for written in _reports() if written.claims == claims)


_without_mode = _with(overruns.rest, scaling_mode=lambda mode: "strong")


def _oddity(line: Line) -> float:
    return max(line.get("scaling_efficiency", 0), line.get("mfu", 0) / 0.65)


audit = Exercise(
    "0.5", "Audit", 30,
    criteria=(
        Criterion("finds-all", "every impossible line of other reports is found",
                  _finds_all, hint="which topics of the report does none of your rules read? print what you miss"),
        Criterion("spares-sound", "no sound line is accused",
                  _spares(Truth.SOUND), hint="printed numbers are rounded; weak scaling keeps the problem per worker"),
        Criterion("spares-suspicious", "no line is accused that can be true, however odd",
                  _spares(Truth.SUSPICIOUS), hint="an efficiency above 1, a high MFU or a modest goal break no bound"),
        Criterion("any-order", "names and order of the lines make no difference",
                  _any_order, hint="judge a line by the quantities that it states"),
        Criterion("own-rules", "the findings stay the same when the course's own rules are taken away",
                  _own_rules, hint="the lint is there to compare with afterwards"),
    ),
    reference=overruns.audit,
    wrong=(
        Wrong("accuses every line", set, "spares-sound"),
        Wrong("accuses nobody", lambda claims: set(), "finds-all"),
        Wrong("names the lines of the first report", lambda claims: _report(0).ids(Truth.IMPOSSIBLE), "finds-all"),
        Wrong("leaves the rest of the report out", _audit(*overruns.RULES[:3]), "finds-all"),
        Wrong("forgives a factor of two", _audit(*overruns.RULES, limit=2), "finds-all"),
        Wrong("does not forgive rounding", _audit(*overruns.RULES, limit=1), "spares-sound"),
        Wrong("takes weak scaling for strong", _audit(_without_mode), "spares-sound"),
        Wrong("takes odd for impossible", _audit(*overruns.RULES, _oddity), "spares-suspicious"),
        Wrong("takes every warning for an error", _by_the_lint(*physics.Severity), "spares-suspicious"),
        Wrong("looks the report up", _looks_it_up, "any-order"),
        Wrong("asks the course's lint", _by_the_lint(physics.Severity.ERROR), "own-rules"),
    ),
)  # fmt: skip


EXERCISES = (cluster, training, memory, service, audit)
